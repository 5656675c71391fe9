"""The base of everything that can go wrong with a sandbox and is its user's to know."""


class SandboxError(Exception):
    """The sandbox can not do what was asked; the text says what happened, where, and what to do next."""
