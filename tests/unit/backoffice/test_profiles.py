"""Shipped acquirer profiles: complete, honest about what is not known, and never a way to refund by themselves."""

import re
from pathlib import Path

import pytest

from backoffice.config import AcquirerConfig, Config
from backoffice.profiles import add_profiles, load_profiles
from pos_agent.errors import ConfigFileError


def test_shipped_profiles_load_and_claim_no_unsourced_licence() -> None:
    profiles = load_profiles()
    assert set(profiles) == {"chinaums", "lakala", "ruiyinxin", "shengpay"}
    for name, profile in profiles.items():
        assert profile.licence_no == "", name
        assert profile.licence_status in ("unchecked", "terminated"), name
        for pattern in (*profile.order_no_patterns, *profile.channel_no_patterns):
            re.compile(pattern)
        assert len(profile.refund_no_prefix) + 22 <= profile.refund_no_max, name


def test_case_42_ruiyinxin_is_known_as_ended_without_any_configuration() -> None:
    config = Config()
    add_profiles(config, load_profiles())
    ended = config.acquirers["ruiyinxin"]
    assert (ended.adapter, ended.terminated_on) == ("none", "2025-07-09")


def test_configuration_of_the_shop_wins_over_the_shipped_profile() -> None:
    own = AcquirerConfig(adapter="simulated", url="http://x")
    config = Config(acquirers={"lakala": own})
    add_profiles(config, load_profiles())
    assert config.acquirers["lakala"] is own


def test_profile_with_an_unknown_key_is_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('profile_version = 1\nname_zh = "a"\nname_en = "b"\nlicense = 1\n')
    with pytest.raises(ConfigFileError, match=r"x\.toml"):
        load_profiles((tmp_path,))
    assert load_profiles((tmp_path / "none",)) == {}
