"""S13, S14: refreshes, logins and ends of sessions that meet."""

from tests.e2e.service import PASSWORD, Service, User, at_once


class TestRefreshes:
    def test_twenty_refreshes_of_one_token_all_get_the_same_successor(
        self, service: Service
    ) -> None:
        user = service.sign_up()
        answers = at_once(
            [
                lambda: service.client.post(
                    "/api/auth/token/refresh", json={"refresh_token": user.refresh_token}
                )
            ]
            * 20
        )
        assert {answer.status_code for answer in answers} == {200}
        pairs = [answer.json()["data"] for answer in answers]
        assert len({pair["refresh_token"] for pair in pairs}) == 1
        assert len({pair["token"] for pair in pairs}) == 1
        assert pairs[0]["refresh_token"] != user.refresh_token
        assert user.request("GET", "/api/auth/me", token=pairs[0]["token"]).status_code == 200

    def test_a_token_that_is_two_generations_old_ends_the_session_for_all_at_once(
        self, service: Service
    ) -> None:
        user = service.sign_up()
        newest = user.refresh_token
        for _ in range(2):
            newest = service.client.post(
                "/api/auth/token/refresh", json={"refresh_token": newest}
            ).json()["data"]["refresh_token"]
        answers = at_once(
            [
                lambda: service.client.post(
                    "/api/auth/token/refresh", json={"refresh_token": user.refresh_token}
                )
            ]
            * 10
        )
        reasons = {answer.json()["error"]["details"]["reason"] for answer in answers}
        assert reasons == {"reused"}
        after = service.client.post("/api/auth/token/refresh", json={"refresh_token": newest})
        assert after.status_code == 401
        events = [event["name"] for event in _log_in_and_list_events(user)]
        assert events.count("session:refresh_token_reused") == 1


def _log_in_and_list_events(user: User) -> list[dict[str, object]]:
    token = user.log_in()["token"]
    events: list[dict[str, object]] = user.data("GET", "/api/auth/events", token=token)
    return events


class TestDeadAccounts:
    def test_a_login_that_meets_a_suspension_leaves_no_token_that_works(
        self, service: Service
    ) -> None:
        user = service.sign_up()

        def log_in() -> list[str]:
            answers = [
                service.insist("/api/auth/login", {"email": user.email, "password": PASSWORD})
                for _ in range(4)
            ]
            assert {answer.status_code for answer in answers} <= {200, 403}
            return [
                answer.json()["data"]["token"] for answer in answers if answer.status_code == 200
            ]

        def suspend() -> list[str]:
            service.installation.command("accounts", "suspend", user.email)
            return []

        tokens = [token for made in at_once([log_in] * 4 + [suspend]) for token in made]
        for token in [user.token, *tokens]:
            answer = user.request("GET", "/api/auth/me", token=token)
            assert answer.status_code == 403
            assert answer.json()["error"]["details"]["reason"] == "account_suspended"

    def test_a_login_that_meets_a_deletion_leaves_no_live_session(self, service: Service) -> None:
        user = service.sign_up()

        def log_in() -> list[dict[str, str]]:
            answers = [
                service.insist("/api/auth/login", {"email": user.email, "password": PASSWORD})
                for _ in range(3)
            ]
            assert {answer.status_code for answer in answers} <= {200, 401}
            return [answer.json()["data"] for answer in answers if answer.status_code == 200]

        def delete() -> list[dict[str, str]]:
            answer = service.insist("/api/auth/me/delete", {"password": PASSWORD}, user.token)
            assert answer.status_code == 204, answer.text
            return []

        pairs = [pair for made in at_once([log_in] * 6 + [delete]) for pair in made]
        for pair in pairs:
            assert user.request("GET", "/api/auth/me", token=pair["token"]).status_code == 401
            refreshed = service.client.post(
                "/api/auth/token/refresh", json={"refresh_token": pair["refresh_token"]}
            )
            assert refreshed.status_code == 401
        assert user.request("GET", "/api/auth/me").status_code == 401
