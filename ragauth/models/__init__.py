"""Tables and their named queries, one aggregate a file.

A query takes part in the transaction that is open, and neither begins nor commits one. Services
call them; faces and commands know the rows that services hand up.
"""

from ragauth.models.accounts import Account
from ragauth.models.agents import Agent
from ragauth.models.api_keys import ApiKey
from ragauth.models.confirmations import Confirmation
from ragauth.models.declared_scopes import DeclaredScope
from ragauth.models.events import Event
from ragauth.models.idempotent_calls import IdempotentCall
from ragauth.models.installation import Installation
from ragauth.models.keyspaces import Keyspace
from ragauth.models.limit_notices import LimitNotice
from ragauth.models.outbox import OutboxRow
from ragauth.models.second_factors import RecoveryCode, SecondFactor
from ragauth.models.sessions import Session
from ragauth.models.signing_keys import SigningKey
from ragauth.models.usage import MeterUsage, Usage
from ragauth.models.webhook_deliveries import WebhookDelivery
from ragauth.models.webhooks import Webhook

__all__ = [
    "Account",
    "Agent",
    "ApiKey",
    "Confirmation",
    "DeclaredScope",
    "Event",
    "IdempotentCall",
    "Installation",
    "Keyspace",
    "LimitNotice",
    "MeterUsage",
    "OutboxRow",
    "RecoveryCode",
    "SecondFactor",
    "Session",
    "SigningKey",
    "Usage",
    "Webhook",
    "WebhookDelivery",
]
