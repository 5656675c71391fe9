"""ostree: stateroots and deployments. The argv builders are pure; `Ostree` runs them in the host's scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hostops.runner import CommandError, Runner


class OstreeError(Exception):
    """ostree printed something that does not hold what is looked for."""


@dataclass(frozen=True, slots=True)
class KernelArguments:
    """Kernel arguments of a new deployment: `appended` keep equal keys, each of `replaced` replaces its key."""

    appended: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def pull_local_argv(source: str, repo: str | None = None) -> tuple[str, ...]:
    """Copy all commits of the repository `source` into `repo`, by default that of the running system.

    The refs of a copied system repository (`ostree/0/1/0`) are not those to which its commits are bound.
    """
    target = ("--repo", repo) if repo else ()
    return ("ostree", "pull-local", "--disable-verify-bindings", *target, source)


def os_init_argv(stateroot: str, sysroot: str | None = None) -> tuple[str, ...]:
    """Create an empty stateroot; ostree refuses an existing one with `File exists`."""
    return ("ostree", "admin", "os-init", *_sysroot(sysroot), stateroot)


def deploy_argv(
    stateroot: str, commit: str, kargs: KernelArguments, *, not_as_default: bool, sysroot: str | None = None
) -> tuple[str, ...]:
    """Deploy `commit`, keeping all other deployments and, with `not_as_default`, the boot order (prep.md 7 step 14)."""
    words = ["ostree", "admin", "deploy", "--os", stateroot, "--no-prune", *_sysroot(sysroot)]
    for karg in kargs.appended:
        words += ["--karg-append", karg]
    for karg in kargs.replaced:
        words += ["--karg", karg]
    words.append(commit)
    if not_as_default:
        words.append("--not-as-default")
    return tuple(words)


def undeploy_argv(index: int, sysroot: str | None = None) -> tuple[str, ...]:
    """Remove the deployment at `index`; the ones behind it move up."""
    return ("ostree", "admin", "undeploy", *_sysroot(sysroot), str(index))


def _sysroot(sysroot: str | None) -> Sequence[str]:
    return ("--sysroot", sysroot) if sysroot else ()


def parse_deployment_name(status: str, stateroot: str) -> str:
    """Return `<commit>.<serial>` of the first deployment of `stateroot` in the output of `ostree admin status`.

    Raises OstreeError when there is none: an empty name would stand for the folder of all deployments.
    """
    for line in status.splitlines():
        words = line.strip().removeprefix("*").split()
        if len(words) >= 2 and words[0] == stateroot:
            return words[1]
    raise OstreeError(f"stateroot {stateroot} has no deployment in ostree admin status")


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One line of `ostree admin config-diff`: `kind` is M, D or A; `path` is absolute, below `/etc`."""

    kind: str
    path: str


def parse_config_diff(text: str) -> list[ConfigChange]:
    """Read the output of `ostree admin config-diff`; paths keep their blanks (seed-image-and-gitops.md I.15)."""
    changes = []
    for line in text.splitlines():
        kind, _, path = line.partition(" ")
        if len(kind) == 1 and path.strip():
            changes.append(ConfigChange(kind, "/etc/" + path.lstrip()))
    return changes


class Ostree:
    """ostree on the running system, or below `sysroot` for an installation."""

    def __init__(self, runner: Runner, sysroot: str | None = None) -> None:
        self._runner = runner
        self._sysroot = sysroot
        self._repo = f"{sysroot}/ostree/repo" if sysroot else None

    def has_set_default(self) -> bool:
        """Say whether this ostree knows `admin set-default`; a failing probe counts as no."""
        try:
            return "set-default" in self._runner.run("ostree", "admin", "--help").output
        except CommandError:
            return False

    def set_default(self, index: int) -> None:
        """Make the deployment at `index` the default of the next boot; nothing to do for 0.

        Raises OstreeError, e.g. `failed run ostree set-default with args [admin set-default 1]: ...` (ibu-api.md 7).
        """
        if index == 0:
            return
        words = ("admin", "set-default", str(index))
        try:
            self._runner.run("ostree", *words)
        except CommandError as error:
            raise OstreeError(f"failed run ostree set-default with args [{' '.join(words)}]: {error}") from error

    def pull_local(self, source: str) -> None:
        """Copy the commits of the repository at the host path `source`; repeatable. Raises CommandError."""
        self._runner.run(*pull_local_argv(source, self._repo))

    def os_init(self, stateroot: str) -> None:
        """Create an empty stateroot. Raises CommandError, also when it exists."""
        self._runner.run(*os_init_argv(stateroot, self._sysroot))

    def deploy(self, stateroot: str, commit: str, kargs: KernelArguments, *, not_as_default: bool) -> None:
        """Deploy `commit` into `stateroot`. Raises CommandError."""
        self._runner.run(*deploy_argv(stateroot, commit, kargs, not_as_default=not_as_default, sysroot=self._sysroot))

    def undeploy(self, index: int) -> None:
        """Remove the deployment at `index`. Raises CommandError."""
        self._runner.run(*undeploy_argv(index, self._sysroot))

    def deployment_name(self, stateroot: str) -> str:
        """Return `<commit>.<serial>` of the first deployment of `stateroot`. Raises CommandError, OstreeError."""
        status = self._runner.run("ostree", "admin", "status", *_sysroot(self._sysroot), stdout_only=True)
        return parse_deployment_name(status.output, stateroot)

    def config_diff(self) -> list[ConfigChange]:
        """Return what differs between the running `/etc` and the deployment's defaults. Raises CommandError."""
        diff = self._runner.run("ostree", "admin", "config-diff", *_sysroot(self._sysroot), stdout_only=True)
        return parse_config_diff(diff.output)
