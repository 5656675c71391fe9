"""`ostree admin set-default INDEX` for ostree versions that lack it, by the library's own functions."""

from __future__ import annotations

import ctypes
import sys

_ostree = ctypes.CDLL("libostree-1.so.1")
_glib = ctypes.CDLL("libglib-2.0.so.0")

for _function in (_ostree.ostree_sysroot_new_default, _ostree.ostree_sysroot_get_deployments, _glib.g_ptr_array_new):
    _function.restype = ctypes.c_void_p


class _PointerArray(ctypes.Structure):
    _fields_ = (("items", ctypes.POINTER(ctypes.c_void_p)), ("length", ctypes.c_uint))


class _Error(ctypes.Structure):
    _fields_ = (("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p))


def set_default(index: int) -> None:
    """Make the deployment `index` of `ostree admin status` the first one. Raises RuntimeError with ostree's text."""
    sysroot = ctypes.c_void_p(_ostree.ostree_sysroot_new_default())
    error = ctypes.POINTER(_Error)()

    def call(function: ctypes._NamedFuncPointer, *arguments: object) -> None:
        if not function(sysroot, *arguments, ctypes.byref(error)):
            raise RuntimeError(error.contents.message.decode(errors="replace"))

    call(_ostree.ostree_sysroot_load, None)
    call(_ostree.ostree_sysroot_lock)
    array = ctypes.cast(_ostree.ostree_sysroot_get_deployments(sysroot), ctypes.POINTER(_PointerArray)).contents
    deployments = [array.items[position] for position in range(array.length)]
    if not 0 <= index < len(deployments):
        raise RuntimeError(f"Out of range deployment index {index}, expected < {len(deployments)}")
    ordered = ctypes.c_void_p(_glib.g_ptr_array_new())
    for deployment in (deployments[index], *deployments[:index], *deployments[index + 1 :]):
        _glib.g_ptr_array_add(ordered, ctypes.c_void_p(deployment))
    call(_ostree.ostree_sysroot_write_deployments, ordered, None)
    _ostree.ostree_sysroot_unlock(sysroot)


def main(arguments: list[str]) -> int:
    """Command line: one index."""
    if len(arguments) != 1 or not arguments[0].isdigit():
        sys.stderr.write("error: INDEX must be specified\n")
        return 1
    try:
        set_default(int(arguments[0]))
    except RuntimeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
