"""`lca seed`: seed images, looked at from anywhere; what a single node needs so that it can become a seed."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agent.cli.seed_check import Verdict
    from hostops.skopeo import RemoteImage
    from seeds.summary import ImageFile


@click.group("seed", short_help="Look at seed images; prepare a cluster to become one")
def command() -> None:
    """Look at seed images, and prepare a cluster to become one.

    A seed image is made of the cluster that it is taken from: apply a SeedGenerator there.
    """


@command.command()
@click.argument("image")
@click.option("--authfile", metavar="FILE", default="", help="Credentials; default: where skopeo looks for them.")
@click.option("--tls-verify/--no-tls-verify", default=True, help="Whether the registry must have a valid certificate.")
@click.option(
    "--check", is_flag=True, help="Compare with the current cluster, as Prep does; exit code 1 when it does not fit."
)
@click.option("--contents", is_flag=True, help="Download the image to list its files, if it does not list them itself.")
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="For --check; default: KUBECONFIG.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def inspect(
    image: str,
    authfile: str,
    tls_verify: bool,
    check: bool,
    contents: bool,
    kubeconfig: Path | None,
    context: str | None,
    output: str,
) -> int:
    """Show release, cluster, format and sizes of seed image IMAGE, without pulling it."""
    from hostops.runner import CommandError, HostRunner
    from hostops.skopeo import InspectError, Skopeo

    logging.getLogger("hostops").setLevel(logging.ERROR)  # the message below says it all
    image = image.removeprefix("docker://")
    try:
        found = Skopeo(HostRunner()).inspect(image, authfile, tls_verify=tls_verify)
        files = _list_files(image, found, authfile, tls_verify, download=contents)
    except (CommandError, InspectError) as error:
        reason = error.output if isinstance(error, CommandError) else str(error)
        raise click.ClickException(f"{image} can not be inspected: {reason.strip()}") from error
    verdict = _check(found, kubeconfig, context) if check else None
    if output == "json":
        click.echo(json.dumps(_to_json(image, found, files, verdict), indent=2))
    else:
        _print_text(image, found, files, verdict)
    return 0 if verdict is None or verdict.fits else 1


def _list_files(image: str, found: RemoteImage, authfile: str, tls_verify: bool, *, download: bool) -> list[ImageFile]:
    from seeds.summary import ImageFile

    if not download or all(layer.title for layer in found.layers):
        return [ImageFile(layer.title, layer.size_bytes) for layer in found.layers]
    from agent.cli.seed_contents import download_contents

    return download_contents(image, authfile, tls_verify=tls_verify)


def _check(found: RemoteImage, kubeconfig: Path | None, context: str | None) -> Verdict:
    from agent.cli.seed_check import CheckError, check_image
    from agent.kube import Client, errors

    try:
        with Client.connect(kubeconfig, context) as client:
            return check_image(client, found)
    except (CheckError, errors.AccessError, errors.ApiError) as error:
        raise click.ClickException(f"the cluster can not be compared: {error}") from error


def _print_text(image: str, found: RemoteImage, files: list[ImageFile], verdict: Verdict | None) -> None:
    from seeds.summary import describe_image

    for line in describe_image(image, found.digest, found.labels, files, found.compressed_bytes):
        click.echo(line)
    if verdict is None:
        return
    click.echo(f"Check:      {'fits' if verdict.fits else 'does not fit'} this cluster")
    for line in verdict.describe():
        click.echo(f"  {line}")


def _to_json(image: str, found: RemoteImage, files: list[ImageFile], verdict: Verdict | None) -> dict[str, Any]:
    from seeds.format import FORMAT_LABEL, INFO_LABEL

    try:
        info = json.loads(found.labels.get(INFO_LABEL, "null"))
    except ValueError:
        info = None
    shown = {
        "image": image,
        "digest": found.digest,
        "formatVersion": found.labels.get(FORMAT_LABEL),
        "seedClusterInfo": info,
        "labels": dict(found.labels),
        "compressedBytes": found.compressed_bytes,
        "files": [{"name": file.name, "bytes": file.size_bytes} for file in files],
    }
    return shown if verdict is None else {**shown, "check": verdict.to_object()}


@command.command("dnsmasq-config")
@click.option("--name", required=True, help="Name of the cluster, as in its installation.")
@click.option("--domain", required=True, help="Base domain of the cluster.")
@click.option("--ip", "address", required=True, help="Address of the node.")
@click.option("--mc", is_flag=True, help="Print a MachineConfig for `oc apply -f -`.")
@click.option("--wave", metavar="N", help="With --mc: annotation ran.openshift.io/ztp-deploy-wave.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), help="Write the files below a folder.")
def dnsmasq_config(name: str, domain: str, address: str, mc: bool, wave: str | None, output_dir: Path | None) -> None:
    """Print what a single node needs so that the names of its cluster resolve, whatever its seed was called.

    A seed cluster must have this configuration, and then all nodes made from it have it.
    """
    from seeds.dnsmasq import ClusterNames, list_files, make_machine_config, read_unit

    names = ClusterNames(name, domain, address)
    if problems := names.find_problems():
        raise click.UsageError("; ".join(problems))
    if wave is not None and not (mc and wave.isdecimal()):
        raise click.UsageError("--wave needs --mc" if not mc else f"--wave {wave!r} is not a number")
    if mc:
        import yaml

        click.echo(yaml.safe_dump(make_machine_config(names, wave), sort_keys=False, width=10**6), nl=False)
        return
    for file in (*list_files(names), read_unit()):
        if output_dir is None:
            click.echo(f"=== {file.path} (mode {file.mode:04o})\n{file.content}")
            continue
        path = output_dir / file.path.lstrip("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content)
            path.chmod(file.mode)
        except OSError as error:
            raise click.ClickException(f"{path} can not be written: {error.strerror}") from error
        click.echo(path)
