"""What the page tells of its use (HEART: happiness, engagement, adoption, retention, task success), as lines of the log, and counted."""

import structlog

from api.answers import Answer, json_answer
from api.endpoints import Call
from api.schemas import MetricsBody
from application.status import time_text

log = structlog.get_logger("orderlog.heart")


async def take_metrics(call: Call) -> Answer:
    """Log each event as one structured line; the trader is who the token says."""
    body: MetricsBody = call.body
    for event in body.events:
        told = event.model_dump(exclude_none=True) | {"at": time_text(event.at), "trader_id": call.trader_id}
        log.info(told.pop("name"), **told)
        call.engine.metrics.heart.labels(event.category).inc()
    return json_answer({"accepted": len(body.events)}, 202)
