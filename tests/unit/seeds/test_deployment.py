import json
from pathlib import PurePosixPath

import pytest

from hostops.ostree import KernelArguments
from seeds.deployment import read_booted_deployment, read_deletions, read_image_list, read_kernel_arguments
from seeds.format import SeedFormatError


def status(*entries):
    return json.dumps({"deployments": [{"id": name, "booted": booted} for name, booted in entries]})


@pytest.mark.parametrize("name", ["rhcos-abc.1", "4.15.0-0.nightly-2023-12-04-223539-abc.1"])
def test_booted_deployment_is_what_follows_the_last_dash(name):
    deployment = read_booted_deployment(status(("rhcos-other.0", False), (name, True)))
    assert (deployment.name, deployment.commit, deployment.origin_file) == ("abc.1", "abc", "ostree-abc.1.origin")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (status(("nodash", True)), "there should be a '-' in deploymentID nodash$"),
        (status(("rhcos-abc.0", False)), "failed finding booted stateroot$"),
        ('{"deployments": null}', "failed finding booted stateroot$"),
        ('{"deployments": [1]}', "failed finding booted stateroot$"),
        ("{", "^rpm-ostree.json: not valid JSON"),
        ("[]", "^rpm-ostree.json: not a JSON object$"),
    ],
)
def test_booted_deployment_that_is_not_there_is_refused(text, problem):
    with pytest.raises(SeedFormatError, match=problem):
        read_booted_deployment(text)


def test_kernel_arguments_keep_their_text_and_order():
    config = {"spec": {"kernelArguments": ["tsc=nowatchdog", 'cgroup_no_v1="all"', "a=$b`c`<&"], "fips": True}}
    expected = ("tsc=nowatchdog", 'cgroup_no_v1="all"', "a=$b`c`<&", "fips=1", "boot=LABEL=boot")
    assert read_kernel_arguments(json.dumps(config), "4.15.3") == KernelArguments(expected, ("ibu=4.15.3",))


@pytest.mark.parametrize("config", [{}, {"spec": None}, {"spec": {"kernelArguments": None, "fips": False}}])
def test_kernel_arguments_of_a_plain_configuration_are_only_ours(config):
    assert read_kernel_arguments(json.dumps(config), "4.15.3") == KernelArguments((), ("ibu=4.15.3",))


@pytest.mark.parametrize(
    "text", ['{"spec": [1]}', '{"spec": 1}', '{"spec": {"kernelArguments": "x"}}', '{"spec": {"kernelArguments": [1]}}']
)
def test_kernel_arguments_of_another_type_are_refused(text):
    with pytest.raises(SeedFormatError):
        read_kernel_arguments(text, "4.15.3")


def test_deletions_skip_blank_lines_and_keep_blanks_in_names():
    paths = read_deletions("/etc/foo\n\n  /etc/a b/c \r\n")
    assert paths == [PurePosixPath("etc/foo"), PurePosixPath("etc/a b/c")]


def test_deletions_outside_etc_are_all_named():
    with pytest.raises(SeedFormatError, match=r"^etc.deletions: not below /etc: /etc/../usr, /var/x, etc/x, /etc$"):
        read_deletions("/etc/../usr\n/var/x\n/etc/fine\netc/x\n/etc\n")


def test_image_list_drops_blanks_and_repetitions():
    assert read_image_list("a:1\r\n\nb@sha256:2 \na:1") == ["a:1", "b@sha256:2"]
