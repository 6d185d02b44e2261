"""Customers: each signs up, logs in and changes what is its own, and tells the witness."""

import random
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from tests.soak.asking import Answer
from tests.soak.known import Account, Key, Keys
from tests.soak.oracle import Oracle
from tests.soak.stage import Stage

# Logs are searched for it: every password has it.
PASSWORD_MARK = "otters-in-the-reeds"
_MOST_ACCOUNTS = 8
_MOST_KEYS = 8
# The service's words for "come again": too many hashes at once, or changes of one account.
_LATER = 429
# A database that was frozen may commit what was given up meanwhile.
_LATE_COMMIT_SECONDS = 60


class Customer:
    """One thread's accounts; nobody else changes them."""

    def __init__(self, stage: Stage, oracle: Oracle, keys: Keys, name: str, seed: str) -> None:
        self.accounts: list[Account] = []
        self._stage = stage
        self._oracle = oracle
        self._keys = keys
        self._name = name
        self._rng = random.Random(seed)
        self._numbers = count(1)
        # What it does, and how often in relation to the rest.
        self._doings = {
            self.sign_up: 2,
            self.log_in: 3,
            self.refresh: 6,
            self.create_key: 10,
            self.revoke_key: 8,
            self.rotate_key: 5,
            self.regenerate_primary: 2,
            self.change_password: 1,
            self.look_at_itself: 8,
            self.delete_account: 1,
        }

    def act(self) -> None:
        """Do one thing at random."""
        if not self.accounts:
            self.sign_up(None)
            return
        account = self._rng.choice(self.accounts)
        (doing,) = self._rng.choices(list(self._doings), list(self._doings.values()))
        if not account.is_session_sure and doing != self.sign_up:
            doing = self.log_in
        doing(account)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Answer:
        """Ask a host at random, and have the answer heard."""
        host = self._rng.choice(self._stage.hosts)
        answer = host.ask(method, path, credential=token, body=body)
        self._oracle.hear(answer)
        return answer

    def sign_up(self, _account: Account | None) -> None:
        if len(self.accounts) >= _MOST_ACCOUNTS:
            return
        email = f"{self._name}.{next(self._numbers)}@example.com"
        password = self._new_password()
        answer = self.ask("POST", "/api/auth/signup", {"email": email, "password": password})
        if answer.status == 201:
            data = answer.data
            account = Account(
                email, [password], data["account"]["id"], data["token"], data["refresh_token"]
            )
            account.primary = self._found(account, data["api_key"], None)
            self.accounts.append(account)
        else:
            self._expect(answer, _LATER)

    def log_in(self, account: Account) -> None:
        for password in tuple(account.passwords):
            answer = self.ask(
                "POST", "/api/auth/login", {"email": account.email, "password": password}
            )
            if answer.status == 200:
                if time.monotonic() > account.unsure_until:
                    account.passwords = [password]
                account.token = answer.data["token"]
                account.refresh_token = answer.data["refresh_token"]
                account.is_session_sure = True
                return
            if answer.status != 401:
                self._expect(answer, _LATER)
                return
        self._broke("an acknowledged account logs in with its last password", answer)

    def refresh(self, account: Account) -> None:
        body = {"refresh_token": account.refresh_token}
        answer = self.ask("POST", "/api/auth/token/refresh", body)
        if answer.status == 200:
            account.token = answer.data["token"]
            account.refresh_token = answer.data["refresh_token"]
        elif answer.is_unknown:
            account.is_session_sure = False
        else:
            self._expect_alive(account, answer)

    def create_key(self, account: Account) -> None:
        if len(account.keys) >= _MOST_KEYS:
            self.revoke_key(account)
            return
        answer = self.ask("POST", "/api/auth/api-keys", {"name": "a key"}, account.token)
        if answer.status == 201:
            self._found(account, answer.data["api_key"], answer.data["id"])
        elif answer.is_unknown:
            account.has_unknown_keys = True
        # An account whose keys are partly unknown may have as many as its plan has.
        elif not (answer.status == _LATER and account.has_unknown_keys):
            self._expect_alive(account, answer)

    def revoke_key(self, account: Account) -> None:
        key = self._own_key(account)
        if key is None:
            return
        key.will_end()
        answer = self.ask("DELETE", f"/api/auth/api-keys/{key.id}", token=account.token)
        self._ended(account, key, answer)
        # A revocation whose answer was lost may have worked: then there is nothing any more.
        if answer.status != 204 and not (answer.status == 404 and key.seen_dead):
            self._expect_alive(account, answer)

    def rotate_key(self, account: Account) -> None:
        key = self._own_key(account)
        if key is None:
            return
        key.will_end()
        path = f"/api/auth/api-keys/{key.id}/rotate"
        answer = self.ask("POST", path, {}, account.token)
        self._ended(account, key, answer)
        if answer.status == 201:
            self._found(account, answer.data["api_key"], answer.data["id"])
        elif answer.is_unknown:
            account.has_unknown_keys = True
        else:
            self._expect_alive(account, answer)

    def regenerate_primary(self, account: Account) -> None:
        key = account.primary
        if key is not None:
            key.will_end()
        answer = self.ask("POST", "/api/auth/api-key/regenerate", {}, account.token)
        if key is not None:
            self._ended(account, key, answer)
        if answer.status == 200:
            raw = answer.data["api_key"]
            account.primary = self._found(account, raw, answer.data["key"]["id"])
        elif answer.is_unknown:
            account.has_unknown_keys = True
            account.primary = None
        else:
            self._expect_alive(account, answer)

    def change_password(self, account: Account) -> None:
        (old, *_) = account.passwords
        new = self._new_password()
        body = {"current_password": old, "new_password": new}
        answer = self.ask("POST", "/api/auth/password/change", body, account.token)
        if answer.status == 204:
            account.passwords = [new]
            account.is_session_sure = False
        elif answer.is_unknown:
            account.passwords.append(new)
            account.is_session_sure = False
            account.unsure_until = time.monotonic() + _LATE_COMMIT_SECONDS
        else:
            self._expect_alive(account, answer)

    def look_at_itself(self, account: Account) -> None:
        answer = self.ask("GET", "/api/auth/me", token=account.token)
        if answer.status == 200:
            if answer.data["email"] != account.email:
                self._broke("an account is told its own name", answer)
        elif not answer.is_unknown:
            self._expect_alive(account, answer)

    def delete_account(self, account: Account) -> None:
        # So seldom, and late, that there are accounts to hold at the end.
        if len(self.accounts) < _MOST_ACCOUNTS or account.is_limited:
            return
        for key in account.keys:
            key.will_end()
        (password, *_) = account.passwords
        answer = self.ask("POST", "/api/auth/me/delete", {"password": password}, account.token)
        if answer.status == 204 or answer.is_unknown:
            for key in tuple(account.keys):
                self._ended(account, key, answer)
            self.accounts.remove(account)
        else:
            for key in account.keys:
                key.end_sent = None
            self._expect_alive(account, answer)

    def _own_key(self, account: Account) -> Key | None:
        keys = [key for key in account.keys if key is not account.primary]
        return self._rng.choice(keys) if keys else None

    def _found(self, account: Account, raw: str, key_id: str | None) -> Key:
        key = Key(raw, key_id or "the primary one", account.uses, account.is_limited)
        account.keys.append(key)
        self._keys.add(key)
        return key

    def _ended(self, account: Account, key: Key, answer: Answer) -> None:
        """A request to end the key was answered so."""
        if answer.is_success:
            key.has_ended()
        elif not answer.is_unknown:
            # It was refused, so the key lives on; the next answer tells if it does not.
            key.end_sent = None
            return
        self._keys.end(key)
        account.keys.remove(key)

    def _expect_alive(self, account: Account, answer: Answer) -> None:
        """What is left once success is dealt with: an unknown outcome, or "come again later"."""
        if answer.status == 401 and time.monotonic() < account.unsure_until:
            account.is_session_sure = False
        elif answer.status == 401:
            self._broke("a live session is never refused", answer)
        else:
            self._expect(answer, _LATER)

    def _expect(self, answer: Answer, *statuses: int) -> None:
        if answer.status not in statuses and not answer.is_unknown:
            self._broke("a customer's request does what was promised", answer)

    def _broke(self, promise: str, answer: Answer) -> None:
        self._oracle.broke(promise, str(answer), answer.began, answer.ended)

    def _new_password(self) -> str:
        return f"{PASSWORD_MARK} {self._rng.getrandbits(40):x}"
