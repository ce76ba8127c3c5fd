"""Signed checkpoints of the log, for auditors who keep them where nobody who can change the log can."""

import asyncio

from api.answers import Answer, json_answer
from api.endpoints import Call
from application.ports import StoreUnavailableError
from infrastructure.audit.checkpoint import LogState, sign
from infrastructure.audit.keys import key_id, public_pem, signing_key
from infrastructure.postgres.connecting import UNAVAILABLE
from infrastructure.postgres.log_state import log_state


async def get_checkpoint(call: Call) -> Answer:
    """A checkpoint of the log as it is."""
    key = signing_key(call.engine.settings)
    state = await asyncio.to_thread(_state, str(call.engine.settings.database_url))
    return json_answer(sign(state, call.engine.clock.now(), key))


async def get_public_key(call: Call) -> Answer:
    """The public key that checkpoints are checked with."""
    key = signing_key(call.engine.settings).public_key()
    return json_answer({"key_id": key_id(key), "public_key": public_pem(key)})


def _state(database_url: str) -> LogState:
    try:
        return log_state(database_url)
    except UNAVAILABLE as error:
        raise StoreUnavailableError(str(error)) from error
