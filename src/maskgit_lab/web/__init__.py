"""The page: paint a hole, fill it, watch the tokens appear; and a report read-only. Only this folder imports aiohttp."""
