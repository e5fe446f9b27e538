"""What Kraken's spot market offers and what it allows: addresses, channels, intervals and limits, each with its source.

"Docs" is https://docs.kraken.com/api/, WebSocket v2, read as of 2026-11-22.
"""

from jrr_core.connector import Limits, Rate

EXCHANGE = "kraken"
WS_URL = "wss://ws.kraken.com"
WS_PATH = "/v2"
REST_URL = "https://api.kraken.com"

# Docs, "Candles (OHLC)": intervals in minutes. 10080 and 21600 (a week, 15 days) are counted from 1970-01-01, a
# Thursday; jrr's weeks begin on Monday, so they have no name here.
INTERVALS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}
MINUTES = {interval: minutes for minutes, interval in INTERVALS.items()}
# Docs, "Book": levels a side that can be subscribed.
BOOK_DEPTHS = (10, 25, 100, 500, 1000)
# Kraken has no such channels: the best levels are read off the synchronised book.
DERIVED_DEPTHS = {"book_snapshot_5": 5, "book_snapshot_10": 10, "book_snapshot_20": 20}
# Docs, "Book checksum": levels a side that the checksum covers.
CHECKED_DEPTH = 10

# Docs give no number of symbols a request or a connection; these keep messages short and a reconnect cheap.
SYMBOLS_PER_REQUEST = 50
STREAMS_PER_CONNECTION = 100
# Docs, "Heartbeat": one a second while nothing else comes. A ping asks for a sign of life when they stay out.
PING_IDLE_S = 5.0
STALE_S = 15.0
# Docs, "General usage": closed after about a minute without a subscription.
IDLE_S = 60.0

LIMITS = Limits(
    # Docs, "Reconnection": about 150 attempts in 10 minutes per IP, and 5 s or more between two.
    connects=Rate(1, 5.0),
    # Docs give no number for public channels.
    messages=Rate(5, 1.0),
    # Docs, "REST rate limits": about one public call a second per IP and pair; one for all keeps below it.
    http={EXCHANGE: Rate(1, 1.0)},
)
# Docs, "Get recent trades" and "Get OHLC data": most rows of an answer.
MOST_TRADES = 1000
MOST_CANDLES = 720
