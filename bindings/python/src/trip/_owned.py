"""Owns the life of what the library makes for one Python object: it is destroyed with that, or when that is closed."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, ClassVar, NoReturn

from . import _abi
from ._errors import failure
from ._fields import Fields

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, TypeVar

    T = TypeVar("T")


class Owned:
    """What derives from this says what destroys it. All members of these objects may be called on any thread."""

    _destroy: ClassVar[Any]  # a function of the library, of the class: globals may be gone when the interpreter ends
    _handle: Any = ctypes.c_uint64()  # of nothing: what is destroyed when nothing could be made

    @property
    def handle(self) -> int:
        """The library's own number for this, the same in every language of this process."""
        return int(self._handle.value)

    def close(self) -> bool:
        """Destroy it: whoever uses it from now on gets a trip.Error. False if it was closed before. Also done when
        nobody holds it any more, and at the end of a `with`.
        """
        status = self._destroy(self._handle)
        if status < 0 and status != _abi.TRIP_E_HANDLE:
            raise failure(status)
        return bool(status == _abi.TRIP_OK)

    def _make(self, create: Callable[..., int], config: Fields, *arguments: Any) -> None:
        """Have the library make it, right into the object that destroys it."""
        self._handle = ctypes.c_uint64()
        error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
        told = ctypes.byref(error)
        status = create(*arguments, ctypes.byref(config.native()), ctypes.byref(self._handle), told)
        if status < 0:
            raise config.told(status, error)

    def _told(self, ask: Callable[..., int], struct: Any, *arguments: Any) -> Any:
        """What the library tells of it, in a struct of its own."""
        info = struct(ctypes.sizeof(struct))
        status = ask(self._handle, *arguments, ctypes.byref(info))
        if status < 0:
            raise failure(status)
        return info

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._destroy(self._handle)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it lives in this process")

    def __repr__(self) -> str:
        return f"<trip.{type(self).__name__} {self.handle:#x}>"


def described(kind: type[T], info: object) -> T:
    """What the library has told of something, as the dataclass that has the same members."""
    return kind(**{name: getattr(info, name) for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]
