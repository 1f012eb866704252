"""Owns Route: the providers that a tenant's calls may go to, and the permits of the first one that admits them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Union

from . import _abi
from ._circuit import Circuit
from ._constants import Fallback, Order
from ._entry import Name, as_bytes
from ._errors import failure
from ._fields import Fields, required
from ._lane import NO_LANE, Grant, grants
from ._library import library
from ._number import U32_MAX, require_int
from ._owned import Owned
from ._permit import Permit
from ._rejection import CircuitOpen
from ._tracker import Tracker, handle_of

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

PROVIDERS_MAX = 64

Weighted = Union[Name, "tuple[Name, int]"]  # a provider, and its weight where that is not 1


@dataclass(frozen=True)
class RouteConfig(Fields):
    """How a route chooses: the library's trip_route_config, field for field.

    It holds whatever that can hold; whether it makes sense, the library says when a Route is made of it.
    """

    _struct = _abi.trip_route_config

    order: int = Order.LISTED
    fallback: int = Fallback.REFUSE
    seed: int = 0


class RouteOptions(TypedDict, total=False):
    """What Route takes: the fields of RouteConfig."""

    order: Order
    fallback: Fallback
    seed: int


class Route(Owned):
    """The providers that a tenant's calls may go to, with weights. Share one among all threads.

        route = trip.Route(tracker, "acme", ["openai", ("anthropic", 3)])
        with route.permit(session="user 7") as permit:     # raises trip.CircuitOpen when all of them refuse
            call(permit.provider)

    The options are those of trip.RouteOptions, by name; what is not said has the default that trip.RouteConfig shows.
    What each means stands in include/trip.h under the field of the same name of trip_route_config; bad values raise
    ConfigError, whose `field` is the field's name.

    It keeps its tracker alive, whose circuits it asks. It is destroyed when it is closed, or when nobody holds it any
    more; the circuits, and permits that are out, stay.
    """

    _destroy = staticmethod(library.trip_route_destroy)

    def __init__(
        self, tracker: Tracker, tenant: Name, providers: Iterable[Weighted] = (), **options: Unpack[RouteOptions]
    ) -> None:
        self._begin(RouteConfig.of("Route", options), tracker, tenant, providers)

    @classmethod
    def from_config(
        cls, config: RouteConfig, tracker: Tracker, tenant: Name, providers: Iterable[Weighted] = ()
    ) -> Self:
        """A route of an exact config."""
        route = cls.__new__(cls)
        route._begin(required(config, RouteConfig), tracker, tenant, providers)
        return route

    def _begin(self, config: RouteConfig, tracker: Tracker, tenant: Name, providers: Iterable[Weighted]) -> None:
        if tracker is None:
            raise TypeError("a route is one of a tracker")
        named = as_bytes("tenant", tenant)
        self._make(library.trip_route_create, config, handle_of(tracker), named, len(named))
        self._tracker, self._tenant = tracker, named
        self._providers: list[bytes] = []
        self._adding = threading.Lock()
        for each in [providers] if isinstance(providers, (str, bytes)) else providers:
            self.add(*each) if isinstance(each, tuple) else self.add(each)

    @property
    def tenant(self) -> str:
        """Whose calls these are; bytes that are not UTF-8 appear as surrogate escapes, as in os.fsdecode."""
        return _shown(self._tenant)

    @property
    def providers(self) -> tuple[str, ...]:
        """Who may be called, the first one first."""
        return tuple(map(_shown, self._providers))

    def add(self, provider: Name, weight: int = 1) -> None:
        """Add a provider behind those that are there; a route has at most 64. Its weight, 1 to 1000000, counts where
        providers are drawn, or sessions are spread over them.
        """
        named = as_bytes("provider", provider)
        require_int("weight", weight, 0, U32_MAX)
        with self._adding:
            self._providers.append(named)  # first: a permit of it may be there before the library has answered
            status = library.trip_route_add(self._handle, named, len(named), weight)
            if status < 0:
                del self._providers[-1]
                raise failure(status)

    def permit(self, session: Name = "", avoid: Iterable[int] = ()) -> RoutePermit:
        """A permit of the first provider whose circuit admits the call; never waits.

        Calls of a `session` go to the same provider as long as it admits them, in every process. Providers to `avoid`,
        by their index, as those that have just failed, are asked last.

        Raises CircuitOpen when all of them refuse: its `provider` names them all, its rejection is that of the circuit
        that says the soonest retry_after. Raises trip.Error when the library fails.
        """
        kept, bits = as_bytes("session", session), 0
        for index in avoid:
            require_int("avoid", index, 0, PROVIDERS_MAX - 1)
            bits |= 1 << index
        permit, index_of = RoutePermit(), ctypes.c_uint32()
        permit._lane, permit._circuit, permit._route = NO_LANE, None, self
        try:
            permit._ticket = grant = grants.pop()
        except IndexError:
            permit._ticket = grant = Grant()
        status = library.trip_route_permit(
            self._handle, kept, len(kept), bits, grant.to_handle, ctypes.byref(index_of), grant.to_refusal
        )
        if status == _abi.TRIP_OK:
            permit.index = index_of.value
            return permit
        told = grant.refusal.tobytes()
        grants.append(grant)
        if status < 0:
            raise failure(status)
        raise CircuitOpen(self.tenant, ", ".join(self.providers), (status, told))

    def circuit(self, index: int) -> Circuit:
        """The circuit of a provider: 0 for the one that was added first."""
        require_int("index", index, 0, U32_MAX)
        circuit = _abi.trip_circuit()
        status = library.trip_route_circuit(self._handle, index, ctypes.byref(circuit))
        if status < 0:
            raise failure(status)
        return self._tracker.circuit(self._tenant, self._providers[index])


class RoutePermit(Permit):
    """A permit that a Route has given: to call the `provider`, which is the route's `index`-th, from 0."""

    __slots__ = ("_route", "index")

    index: int
    _route: Route  # kept, and its tracker with it

    @property
    def provider(self) -> str:
        """Who is to be called."""
        return _shown(self._route._providers[self.index])


def _shown(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
