"""The table of token ids: OpenAI's file, or none."""

from pathlib import Path

import pytest

import running
from embedding_clients import copy_token_table
from vecmod.contract.environment import SettingsError
from vecmod.contract.errors import RequestFault
from vecmod.serving.media.token_table import read_token_table


def test_texts_come_back(tmp_path: Path) -> None:
    assert read_token_table(tmp_path) is None
    copy_token_table(tmp_path)
    table = read_token_table(tmp_path)
    assert table is not None
    assert table.text([64, 6685, 315, 264, 8415]) == "a photo of a cat"
    assert table.text([100255]) != ""
    assert table.text([]) == ""
    with pytest.raises(RequestFault, match="0 to 100255"):
        table.text([64, 100256])


def test_another_file_keeps_the_service_from_starting(tmp_path: Path) -> None:
    path = copy_token_table(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SettingsError, match="is not OpenAI's cl100k_base table"):
        running.clip(tmp_path)
