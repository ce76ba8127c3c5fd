"""PostgreSQL, Valkey and the paper venue started beside the engine when no address is configured."""
