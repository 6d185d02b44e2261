"""Many signups at the same instant."""

from tests.e2e.service import PASSWORD, Service, at_once

_CONTESTANTS = 16
_NAMESAKES = 8


def test_of_many_signups_with_one_address_one_makes_an_account(service: Service) -> None:
    spellings = [
        "race@example.com",
        "rAcE@Example.COM",
        " race@example.com ",
        # The same letters at full width.
        "\uff52\uff41\uff43\uff45@example.com",
    ]
    answers = at_once(
        [
            lambda number=number: service.insist(
                "/api/auth/signup",
                {"email": spellings[number % len(spellings)], "password": PASSWORD},
            )
            for number in range(_CONTESTANTS)
        ]
    )
    winners = [answer.json()["data"] for answer in answers if answer.status_code == 201]
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert (len(winners), len(refusals)) == (1, _CONTESTANTS - 1)
    refusal = {"code": "CONFLICT", "message": "An account with this email already exists"}
    assert refusals == [{"error": refusal}] * len(refusals)
    for spelling in spellings[1::2]:
        login = service.insist("/api/auth/login", {"email": spelling, "password": PASSWORD})
        assert login.json()["data"]["account"] == winners[0]["account"]


def test_of_many_signups_with_one_username_one_makes_an_account(service: Service) -> None:
    answers = at_once(
        [
            lambda number=number: service.insist(
                "/api/auth/signup",
                {
                    "email": f"username.race.{number}@example.com",
                    "password": PASSWORD,
                    "username": "Contested" if number % 2 else "cONTESTED",
                },
            )
            for number in range(_NAMESAKES)
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * (_NAMESAKES - 1)]
