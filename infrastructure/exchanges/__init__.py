"""Where orders are sent: the Alpaca adapter, and the paper venue that speaks the same dialect."""
