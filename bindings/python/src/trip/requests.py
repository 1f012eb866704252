"""An adapter of requests that asks a circuit before each request:

    session = requests.Session()
    session.mount("https://", trip.requests.HTTPAdapter(tracker))

Importing this imports requests and urllib3, of which `import trip` knows nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from requests import adapters

from .urllib3 import Request, protect

if TYPE_CHECKING:
    from ._exchange import Naming
    from ._tracker import Tracker

__all__ = ["HTTPAdapter", "Request"]


class HTTPAdapter(adapters.HTTPAdapter):
    """Sends requests as requests' own adapter does, through urllib3: each has a permit of its own, its retries too.

    `provider` and `tenant` are those of trip.urllib3.PoolManager, whose Request a function of yours is asked about; the
    rest goes to requests.adapters.HTTPAdapter. Raises trip.CircuitOpen, which requests does not wrap. It cannot be
    pickled, for its tracker lives in this process.
    """

    def __init__(
        self,
        tracker: Tracker,
        *args: Any,
        provider: Naming[Request] | None = None,
        tenant: Naming[Request] = "",
        **options: Any,
    ) -> None:
        self._protect: Callable[[Any], None] = partial(protect, tracker=tracker, provider=provider, tenant=tenant)
        super().__init__(*args, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the manager of the connections, as requests asks."""
        super().init_poolmanager(*args, **options)
        self._protect(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The manager of the connections through a proxy, as requests asks."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            self._protect(manager)
        return manager

    def __reduce__(self) -> Any:
        raise TypeError("an adapter with a tracker cannot be copied or pickled: that lives in this process")
