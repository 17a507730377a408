"""What may be trusted, by where it came from: `[policy]` in the settings."""

from fnmatch import fnmatchcase

from pipelines.origins.origin import Origin
from pipelines.workspace.settings import PolicySettings

POLICY = "policy"
"""The reason of a portrait whose photo may not be used."""


def refusal(origin: Origin | None, policy: PolicySettings) -> str | None:
    """Why a photo may not be used, in a few words; None if it may.

    Args:
        origin: of the photo; None: nothing is known of it.
        policy: what may be trusted.
    """
    found = origin or Origin()
    if policy.refuse_opt_outs and found.opt_outs:
        return f"opted out: {', '.join(found.opt_outs)}"
    if policy.refuse_opt_outs and found.consent is False:
        return "consent was refused"
    if not policy.allow_unknown and not found.is_known:
        return "unknown origin"
    if policy.licences is None:
        return None
    if found.licence is None and found.licence_stated is None:
        return None if policy.allow_unknown else "unknown licence"
    stated = [each.casefold() for each in (found.licence, found.licence_stated) if each]
    if any(fnmatchcase(each, wanted.casefold()) for each in stated for wanted in policy.licences):
        return None
    return f"licence not allowed: {found.licence or found.licence_stated}"


def combined_refusal(origins: list[Origin], policy: PolicySettings) -> str | None:
    """Why a photo that lies under several names may not be used: what any name says counts.

    Args:
        origins: of its files, of those that have any.
        policy: what may be trusted.
    """
    if not origins:
        return refusal(None, policy)
    return next(filter(None, (refusal(each, policy) for each in origins)), None)
