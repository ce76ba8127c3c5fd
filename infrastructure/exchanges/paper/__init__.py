"""The paper venue: a foreign exchange in a process of its own that speaks the Alpaca Trading API.

It shares no code with the engine that trades on it. From the inside out: a price-time book of one symbol (`book`), the
exchange around it (`exchange`), the journal that survives a kill (`journal`), the dialect spoken over HTTP and WebSocket
(`bodies`, `dialect`, `rest`, `stream`, `server`), and everything that goes wrong on request (`faults`).
"""
