"""Django REST framework with djangorestframework-api-key, and with knox's tokens.

Settings are those of `startproject`, with connections that are kept. Neither counts or limits.
`python django_app.py COUNT FILE` fills the database and writes raw API keys and, into FILE.knox,
raw tokens.
"""

import os
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

settings.configure(
    SECRET_KEY="a secret of the benchmark, which guards nothing",  # noqa: S106
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "rest_framework",
        "rest_framework_api_key",
        "knox",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": 600,
            "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL"},
        }
    },
    REST_KNOX={"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None},
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django must be set up
from django.urls import path  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.crypto import create_token_string, hash_token  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from knox.settings import CONSTANTS  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey, KeyParser  # noqa: E402

_BATCH = 5_000
_KEYS_PER_ACCOUNT = 4


class HasBearerKey(HasAPIKey):  # type: ignore[misc]
    key_parser = KeyParser()
    key_parser.keyword = "Bearer"


class CheckKey(APIView):  # type: ignore[misc]
    authentication_classes: tuple[Any, ...] = ()
    permission_classes = (HasBearerKey,)

    def get(self, _request: Any) -> Response:
        return Response({"status": "ok"})


class CheckToken(APIView):  # type: ignore[misc]
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"account_id": request.user.id})


class Health(APIView):  # type: ignore[misc]
    authentication_classes: tuple[Any, ...] = ()

    def get(self, _request: Any) -> Response:
        return Response({"status": "ok"})


urlpatterns = [
    path("check", CheckKey.as_view()),
    path("token", CheckToken.as_view()),
    path("healthz", Health.as_view()),
]
app = get_wsgi_application()


def _fill(count: int, file: Path) -> None:
    call_command("migrate", verbosity=0)
    owners = [
        User(username=f"customer{number}") for number in range(count // _KEYS_PER_ACCOUNT + 1)
    ]
    owners = User.objects.bulk_create(owners, batch_size=_BATCH)
    keys, tokens = [], []
    key_rows, token_rows = [], []
    for number in range(count):
        key, prefix, hashed = APIKey.objects.key_generator.generate()
        keys.append(key)
        key_rows.append(
            APIKey(id=f"{prefix}.{hashed}", prefix=prefix, hashed_key=hashed, name=f"Key {number}")
        )
        token = create_token_string()
        tokens.append(token)
        token_rows.append(
            AuthToken(
                digest=hash_token(token),
                token_key=token[: CONSTANTS.TOKEN_KEY_LENGTH],
                user=owners[number // _KEYS_PER_ACCOUNT],
            )
        )
    APIKey.objects.bulk_create(key_rows, batch_size=_BATCH)
    AuthToken.objects.bulk_create(token_rows, batch_size=_BATCH)
    file.write_text("\n".join(keys))
    file.with_name(f"{file.name}.knox").write_text("\n".join(tokens))


if __name__ == "__main__":
    _fill(int(sys.argv[1]), Path(sys.argv[2]))
