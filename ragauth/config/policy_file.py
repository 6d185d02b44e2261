"""The policy file that a setting names."""

from marshmallow import ValidationError

from ragauth.config.environment import expand_home
from ragauth.config.values import is_file
from ragauth.policy import FaultyPolicy, Policy, read_policy


def policy_in(text: str) -> Policy:
    """The policy of the file with this name.

    Raises ValidationError with a message for each fault.
    """
    path = expand_home(text)
    is_file(path)
    try:
        return read_policy(path.read_bytes())
    except OSError as error:
        raise ValidationError(f"cannot read {path}: {error.strerror}") from error
    except FaultyPolicy as error:
        raise ValidationError([str(fault) for fault in error.faults]) from error
