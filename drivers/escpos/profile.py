"""What one model of printer can do; read from config/devices/<name>.toml. Pure: parses text, opens nothing."""

import tomllib
from enum import StrEnum

import msgspec

from pos_agent.errors import ConfigValueError


class TextMode(StrEnum):
    """How text reaches the paper.

    CODEPAGE: one byte a character in one code page; a line outside it is drawn as a raster.
    GB18030: the printer's own Han font, switched by ``FS &`` and ``FS .``; a line outside it is drawn as a raster.
    RASTER: every line is drawn; the only way on models without a Han font (devices.md section 1).
    """

    CODEPAGE = "codepage"
    GB18030 = "gb18030"
    RASTER = "raster"


class CutMode(StrEnum):
    """What ends a sheet.

    FEED_AND_CUT: ``GS V 66 0``, which feeds to the knife by itself.
    CUT: feed `feed_to_knife_lines`, then ``GS V 1``.
    NONE: no knife; feed `feed_to_knife_lines` past the tear bar.
    """

    FEED_AND_CUT = "feed_and_cut"
    CUT = "cut"
    NONE = "none"


class Tier(StrEnum):
    """Highest completion tier that this model's answers justify, lowest first (D13)."""

    SENT = "sent"
    SENT_CLEAN = "sent_clean"
    PROCESSED = "processed"
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        """Return the place on the ladder, 0 = lowest."""
        return list(Tier).index(self)


class Buzzer(StrEnum):
    """How a model sounds.

    NONE: It cannot.
    ESC_B: ``ESC B n t``, n times t × 100 ms, as printers for China have it.
    """

    NONE = "none"
    ESC_B = "esc_b"


class DrawerSensor(StrEnum):
    """What an open cash drawer does to the connector's pin 3, which the printer reports; each drawer is wired its way.

    NONE: Nothing that means anything: no wire, or nobody has looked.
    HIGH: The bit is set while the drawer is open.
    LOW: The bit is clear while the drawer is open.
    """

    NONE = "none"
    HIGH = "high"
    LOW = "low"


class Life(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model is made for, from its data sheet; 0 = not known.

    Attributes:
        roll_mm: Length of a new roll, rather too short than too long.
        head_km: Life of the head in km of paper.
        cuts: Life of the knife.
    """

    roll_mm: float = 50_000.0
    head_km: float = 0.0
    cuts: int = 0


class ProfileMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which units a profile is for.

    Attributes:
        usb: ``VID:PID`` in hex: exactly this model.
        usb_vendor: ``VID``: a model of this maker, to be looked at.
        is_fallback: For printers that no profile names.
    """

    usb: tuple[str, ...] = ()
    usb_vendor: tuple[str, ...] = ()
    is_fallback: bool = False


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Facts about one model.

    Attributes:
        profile_id: File name without its ending.
        name: For people.
        width_dots: Printable dots of a line.
        dots_per_mm: 8 = 203 dpi.
        cell_dots: Width of one column; Han glyphs take two.
        text_mode: See `TextMode`.
        code_page: Python's name of the code page of text mode ``codepage``.
        code_page_number: The n of ``ESC t n`` that selects it.
        cut: See `CutMode`.
        feed_to_knife_lines: Lines between the head and the knife (or the tear bar).
        has_code128: ``GS k 73`` is known; else the bars are drawn.
        has_qr: ``GS ( k`` is known; else the code is drawn.
        has_raster: ``GS v 0`` is known.
        has_port_status: GET_PORT_STATUS tells the truth.
        has_asb: ``GS a`` switches Automatic Status Back on.
        has_dle_eot: ``DLE EOT n`` is answered; never true for an unknown clone, which may print it (field.md 18).
        has_process_id: ``GS ( H`` function 48 is answered when a job is printed; ``confirmed`` needs it.
        has_transmit_status: ``GS r 1`` is answered in its turn; ``processed`` needs it.
        drawer_pin: Connector pin of the cash drawer, 2 or 5; 0 = no drawer connector.
        drawer_sensor: See `DrawerSensor`.
        buzzer: See `Buzzer`.
        tier: See `Tier`.
        speed_mm_s: Paper speed for text, rather too low than too high: it is waited for before "clean" is claimed.
        cut_s: Time of one cut.
        buffer_bytes: Receive buffer; what may still be unprinted when the last byte was accepted.
        chunk_bytes: Largest bulk transfer.
        interface: USB interface number; None = the first of printer class 7.
        life: See `Life`.
        match: Which units it is for.
        source: Where each fact is from, by its key.
    """

    name: str
    profile_id: str = ""
    width_dots: int = 576
    dots_per_mm: int = 8
    cell_dots: int = 12
    text_mode: TextMode = TextMode.GB18030
    code_page: str = "cp437"
    code_page_number: int = 0
    cut: CutMode = CutMode.FEED_AND_CUT
    feed_to_knife_lines: int = 4
    has_code128: bool = True
    has_qr: bool = True
    has_raster: bool = True
    has_port_status: bool = True
    has_asb: bool = False
    has_dle_eot: bool = False
    has_process_id: bool = False
    has_transmit_status: bool = False
    drawer_pin: int = 0
    drawer_sensor: DrawerSensor = DrawerSensor.NONE
    buzzer: Buzzer = Buzzer.NONE
    tier: Tier = Tier.SENT
    speed_mm_s: float = 80
    cut_s: float = 0.5
    buffer_bytes: int = 4096
    chunk_bytes: int = 4096
    interface: int | None = None
    life: Life = Life()
    match: ProfileMatch = ProfileMatch()
    source: dict[str, str] = {}

    @property
    def columns(self) -> int:
        """Return the cells of a line: 48 on 80 mm paper, 32 on 58 mm."""
        return self.width_dots // self.cell_dots

    @property
    def identity(self) -> str:
        """Return what rendered bytes depend on; bytes of another identity are rendered again (D12)."""
        return f"{self.profile_id}/{self.text_mode}/{self.width_dots}"

    def asking_nothing(self) -> "Profile":
        """Return the same model as far as paper goes, of which nothing is asked and nothing claimed (field.md 18)."""
        return msgspec.structs.replace(
            self, has_asb=False, has_dle_eot=False, has_process_id=False, has_transmit_status=False, tier=Tier.SENT
        )


def parse_profile(text: str, *, profile_id: str, text_mode: str = "", tier: str = "") -> Profile:
    """Read a profile.

    Args:
        text: The TOML of the file.
        profile_id: File name without its ending.
        text_mode: Overrides the file's; empty = as in the file.
        tier: Upper limit from the till's config; empty = as in the file.
    Raises:
        ConfigValueError: Not TOML, an unknown key, a value that no printer can have. A person must change the file.
    """
    try:
        facts = tomllib.loads(text)
        facts["profile_id"] = profile_id
        profile = limited(msgspec.convert(facts, Profile), text_mode=text_mode, tier=tier)
    except (ValueError, RecursionError) as error:
        raise ConfigValueError(str(error), key="devices.printer.profile", origin=f"{profile_id}.toml") from error
    check_profile(profile)
    return profile


def limited(profile: Profile, *, text_mode: str, tier: str) -> Profile:
    """Return the profile as the till's config wants it; empty = as it is.

    Raises:
        ValueError: No such text mode or tier.
    """
    if text_mode:
        profile = msgspec.structs.replace(profile, text_mode=TextMode(text_mode))
    if tier and Tier(tier).rank < profile.tier.rank:
        profile = msgspec.structs.replace(profile, tier=Tier(tier))
    return profile


def check_profile(profile: Profile) -> None:
    """Refuse what no printer can be.

    Raises:
        ConfigValueError: A person must change the file.
    """
    problem = ""
    if not 128 <= profile.width_dots <= 2048 or profile.width_dots % 8:
        problem = "width_dots must be a multiple of 8 from 128 to 2048"
    elif profile.cell_dots < 8 or profile.columns < 16:
        problem = "cell_dots must leave at least 16 columns of at least 8 dots"
    elif profile.speed_mm_s < 1 or not 64 <= profile.chunk_bytes <= 8192:
        problem = "speed_mm_s must be positive and chunk_bytes from 64 to 8192"
    elif not 0 <= profile.code_page_number <= 255 or not 0 <= profile.feed_to_knife_lines <= 255:
        problem = "code_page_number and feed_to_knife_lines must fit a byte"
    elif profile.drawer_pin not in (0, 2, 5):
        problem = "drawer_pin must be 2, 5, or 0 for none"
    elif profile.text_mode is TextMode.RASTER and not profile.has_raster:
        problem = "text_mode raster needs has_raster"
    if problem:
        raise ConfigValueError(problem, key="devices.printer.profile", origin=f"{profile.profile_id}.toml")
    try:
        "".encode(profile.code_page)
    except LookupError as error:
        origin = f"{profile.profile_id}.toml"
        raise ConfigValueError(str(error), key="devices.printer.profile.code_page", origin=origin) from error
