"""Signed checkpoints of the log, and proofs of orders, for whoever keeps them where nobody who can change the log can."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from api.answers import Answer, json_answer
from api.auth import AUDITOR
from api.endpoints import Call
from api.queries import own_order
from application.ports import StoreUnavailableError
from domain.refusals import OrderNotFound
from infrastructure.audit.checkpoint import Checkpoint, sign
from infrastructure.audit.keys import key_id, public_pem, signing_key
from infrastructure.postgres.connecting import UNAVAILABLE

T = TypeVar("T")


async def get_checkpoint(call: Call) -> Answer:
    """A checkpoint of the log as it is."""
    return json_answer(await _checkpoint(call))


async def get_proof(call: Call) -> Answer:
    """A proof that the order's events are in the log, for its trader and for auditors."""
    order_id = call.order_id
    if AUDITOR not in call.caller.roles:
        await own_order(call)
    checkpoint = await _checkpoint(call)
    proof = await _asked(lambda: call.running.log_tree.prove(order_id, checkpoint))
    if not proof.events:
        raise OrderNotFound
    return json_answer(proof)


async def get_public_key(call: Call) -> Answer:
    """The public key that checkpoints are checked with."""
    key = signing_key(call.engine.settings).public_key()
    return json_answer({"key_id": key_id(key), "public_key": public_pem(key)})


async def _checkpoint(call: Call) -> Checkpoint:
    key = signing_key(call.engine.settings)
    state = await _asked(call.running.log_tree.state)
    return sign(state, call.engine.clock.now(), key)


async def _asked(question: Callable[[], T]) -> T:
    """The answer of the log, which may have to be read for it, and is not read on the event loop."""
    try:
        return await asyncio.to_thread(question)
    except UNAVAILABLE as error:
        raise StoreUnavailableError(str(error)) from error
