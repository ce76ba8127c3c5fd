"""The HTTP, SSE and WebSocket face of the engine."""
