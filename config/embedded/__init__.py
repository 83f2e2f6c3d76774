"""PostgreSQL and Valkey from wheels, for a machine that has neither.

`ensure()` starts both (or adopts live ones) and puts DATABASE_URL and BROKER_URL into the environment.
The data lie in STRATA_HOME; every process that uses the servers holds a lease, and the last one out stops them.
"""

from config.embedded.servers import Servers, ensure, hold

__all__ = ["Servers", "ensure", "hold"]
