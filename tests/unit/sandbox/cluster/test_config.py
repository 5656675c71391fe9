from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.cluster.config import ClusterConfig


def test_config_for_node_root_keeps_every_folder_below_it() -> None:
    config = ClusterConfig.for_node_root(Path("/scratch"), version="4.16.1")
    folders = (config.etcd_data, config.pki, config.run_directory, config.logs_dir, config.lvm_dir, config.faults_file)
    assert all(folder.is_relative_to("/scratch") for folder in folders)
    assert config.version == "4.16.1"


def test_config_with_unknown_and_bad_fields_names_them_all(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text('{"api_port": 99999, "colour": "red"}')
    with pytest.raises(ValidationError, match=r"(?s)api_port.*colour"):
        ClusterConfig.read(path)


def test_config_written_and_read_back_is_equal(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    config = ClusterConfig.for_node_root(tmp_path, object_store={"url": "http://127.0.0.1:1"})
    path.write_text(config.model_dump_json())
    assert ClusterConfig.read(path) == config
