"""The schema of the terminal's configuration (terminal.toml); `pos_agent.settings` loads, explains and redacts it.

Every key has a default that is safe, or none where only the shop can know. The reference in docs/config.md is
generated from the docstrings and types here; drift fails a test.
"""

import msgspec


class TerminalConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who this till is.

    Attributes:
        terminal_id: ``t-`` and a–z, 0–9, dash; equals the certificate's CN and the MQTT client id.
        merchant_id: The merchant's number at the acquirer.
        merchant_name: Printed on every slip.
        store_name: Printed on every slip; may be empty.
        service_phone: Printed on reject slips and shown by help.
        serial: Serial number of the hardware; empty = not known.
        locale: ``zh-CN`` or ``en``: language at start.
        data_dir: Folder of the journal; must keep what it acknowledges as flushed.
        runtime_dir: Folder of the status socket.
        production: True refuses every bench hook and every unencrypted broker.
    """

    terminal_id: str
    merchant_id: str
    merchant_name: str
    store_name: str = ""
    service_phone: str = ""
    serial: str = ""
    locale: str = "zh-CN"
    data_dir: str = "/var/lib/pos-agent"
    runtime_dir: str = "/run/pos-agent"
    production: bool = False


class BrokerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the broker is and who we are to it (D7, D15).

    Attributes:
        url: ``mqtts://host:port`` or, for loopback only, ``mqtt://host:port``.
        ca_file: PEM of the CA that signed the broker's certificate.
        cert_file: PEM of this terminal's certificate; CN = terminal_id.
        key_file: PEM of its private key.
        keep_alive_s: MQTT keep alive.
        session_expiry_s: MQTT session expiry interval.
    """

    url: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keep_alive_s: int = 20
    session_expiry_s: int = 86_400


class TrustConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Keys inside the envelope (D15, D16).

    Attributes:
        device_key_file: PEM (PKCS#8) of the terminal's Ed25519 device key; signs every up payload.
        device_key_id: ``kid`` of the device key.
        back_office_keys: ``kid`` → base64 of the raw 32-byte Ed25519 public key; pins acks, states, answers, presence.
        lookup_key_file: File with the base64 key for keyed hashes of ambiguous order numbers (D14).
    """

    device_key_file: str
    device_key_id: str
    back_office_keys: dict[str, str]
    lookup_key_file: str = ""


class CameraConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A camera in the place of the scanner; needs one of the extras camera and zxing.

    Attributes:
        width, height: Size of the picture that is asked of the camera, in dots.
        fps: Pictures a second at most; a fifth of it while nothing moves in front of the camera.
        decoder: ``zxing`` (zxing-cpp), ``pyzbar``, or ``auto``: the first of these that is installed.
        symbols: What is looked for: ``qr``, ``code128``, ``ean13``, ``ean8``, ``code39``. Each one more costs time and
            wrong reads.
        deadline_ms: A picture that takes longer ends the decoder's process; it is started again.
        memory_mb: Address space of that process.
    """

    width: int = 640
    height: int = 480
    fps: float = 10.0
    decoder: str = "auto"
    symbols: tuple[str, ...] = ("qr", "code128", "ean13")
    deadline_ms: int = 2000
    memory_mb: int = 512


class ScannerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The barcode scanner.

    Attributes:
        driver: ``serial``, ``camera``, or the name of an installed driver (docs/devices.md).
        path: Device node, best ``/dev/serial/by-id/…``; for a camera ``/dev/v4l/by-id/…``; empty = no scanner.
        baud: Ignored by USB CDC scanners.
        protocol: ``plain`` (text and a suffix), ``ack_nak`` (the same, acknowledged), ``ssi`` (Zebra SSI packets) or
            ``grow`` (Grow GM65 and GM8xx with heartbeat).
        prefix: What the scanner is set to send before each code, such as ``A``; taken off. STX and AIM identifiers are
            known without being named.
        suffix: ``any`` (CR, LF, CRLF, NUL, ETX end a frame), ``tab`` (these and TAB) or ``idle`` (only silence does).
        idle_gap_ms: Silence that ends a frame without suffix.
        reread_window_ms: The same data again within this time is dropped and counted.
        family: Its id in config/devices/scanners, such as ``honeywell``: then it sounds the error beep by the command
            that stands there. Empty = no byte is sent for that.
        options: For installed drivers: what they are to know, as their documents say.
    """

    driver: str = "serial"
    path: str = ""
    baud: int = 9600
    protocol: str = "plain"
    prefix: str = ""
    suffix: str = "any"
    idle_gap_ms: int = 50
    reread_window_ms: int = 700
    family: str = ""
    options: dict[str, str] = {}
    camera: CameraConfig = msgspec.field(default_factory=CameraConfig)


class PrinterConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ESC/POS receipt printer.

    Attributes:
        driver: ``escpos``, or the name of an installed driver (docs/devices.md).
        link: How it is connected: ``usb`` (by its id: usblp where the kernel has bound it, else libusb), ``libusb``,
            ``usblp``, ``serial`` or ``tcp``.
        usb: ``VID:PID`` or ``VID:PID:SERIAL`` in hex, for ``usb`` and ``libusb``; empty = no printer.
        path: Device node for ``usblp`` and ``serial``, ``host:port`` for ``tcp`` (9100 if left out); empty = none.
        baud: For ``serial``.
        flow: For ``serial``, as the printer's switches say: ``rtscts``, ``xonxoff``, ``dsrdtr`` or ``none``.
        profile: Name of a file in config/devices without its ending.
        text_mode: Overrides the profile: ``codepage``, ``gb18030`` or ``raster``; empty = as the profile says.
        tier: Highest completion tier to claim, if the profile's model proves it: ``sent``, ``sent_clean``,
            ``processed`` or ``confirmed`` (D13).
        options: For installed drivers.
    """

    driver: str = "escpos"
    link: str = "usb"
    usb: str = ""
    path: str = ""
    baud: int = 19_200
    flow: str = "dsrdtr"
    profile: str = "generic-80mm"
    text_mode: str = ""
    tier: str = "confirmed"
    options: dict[str, str] = {}


class KeypadConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The keypad.

    Attributes:
        driver: ``evdev`` (USB keypads), ``matrix`` (serial pads, one character a key), or the name of an installed
            driver (docs/devices.md).
        path: evdev node, best ``/dev/input/by-path/…`` (the port), or ``usb:VID:PID[:SERIAL]`` in hex (the unit); for
            ``matrix`` a serial device node; empty = no keypad.
        keymap: Name of a file in config/keymaps without its ending.
        baud: For ``matrix``.
        grab_others: For ``evdev``: every other keyboard of the machine is taken from the console and ignored, so that
            a scanner that types leaves no payment code there. False only where people work on the same machine.
        options: For installed drivers.
    """

    driver: str = "evdev"
    path: str = ""
    keymap: str = "usb-numpad"
    baud: int = 9600
    grab_others: bool = True
    options: dict[str, str] = {}


class DisplayConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A display.

    Attributes:
        driver: ``framebuffer`` (HDMI and DSI panels), ``ansi`` (terminals), ``serial`` (20×4, Epson commands) or
            ``none``; customer displays: ``epson``, ``cd5220``, ``led8`` (eight digits, lamps by STX L), ``led8s``
            (the same, lamps by ESC s), ``none``. Or the name of an installed driver (docs/devices.md).
        path: Framebuffer, terminal or serial device node.
        columns: Cells a line.
        rows: Lines.
        baud: For serial displays; LED8 poles are delivered with 2400.
        encoding: For serial displays that have Han glyphs: ``gb18030``; else ``ascii``.
        rotate: For framebuffers: degrees by which the picture is turned clockwise: 0, 90, 180 or 270.
        console: For framebuffers: the terminal whose text would cover the menu, such as ``/dev/tty1``; empty = none.
        geometry: For a plain file as framebuffer only (bench, tests): ``WIDTHxHEIGHTxBITS``, such as ``800x480x16``.
        options: For installed drivers.
    """

    driver: str = "none"
    path: str = ""
    columns: int = 40
    rows: int = 12
    baud: int = 9600
    encoding: str = "gb18030"
    rotate: int = 0
    console: str = ""
    geometry: str = ""
    options: dict[str, str] = {}


class DevicesConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The devices of the till."""

    scanner: ScannerConfig = msgspec.field(default_factory=ScannerConfig)
    printer: PrinterConfig = msgspec.field(default_factory=PrinterConfig)
    keypad: KeypadConfig = msgspec.field(default_factory=KeypadConfig)
    operator_display: DisplayConfig = msgspec.field(default_factory=DisplayConfig)
    customer_display: DisplayConfig = msgspec.field(default_factory=lambda: DisplayConfig(columns=20, rows=2))


class PolicyConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Rules of the shop at the till; the back office decides each again and can only tighten (trust.md 11).

    Attributes:
        version: Frozen in each request.
        window_days: Longest age of a sale that may be refunded at all.
        operator_limit_minor: Above it a supervisor's PIN is asked.
        supervisor_limit_minor: Above it the request is marked for finance.
        retype_from_minor: From this amount on it is typed again on CONFIRM.
        unverified_percent: Limits halve (50) when a sale could not be looked up.
        order_patterns: Regular expressions of this merchant's order numbers. Name what they begin with: one that takes
            any digits cannot tell them from a piece of a payment code, and the cashier is asked (ADR 0015).
        text_zh, text_en: The refund policy, for FN 6 and the policy slip.
    """

    version: str = "default-1"
    window_days: int = 365
    operator_limit_minor: int = 20_000
    supervisor_limit_minor: int = 100_000
    retype_from_minor: int = 50_000
    unverified_percent: int = 50
    order_patterns: tuple[str, ...] = ()
    text_zh: str = ""
    text_en: str = ""


class PrintingConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Slips.

    Attributes:
        result_slip: ``window`` (within 10 min of the request), ``always``, ``ask`` or ``never``.
        job_expiry_s: A job older than this when the printer comes back is not printed by itself.
        copies_merchant, copies_customer: How many of each request slip.
        rescue_code: Print the signed request as a QR code on the shop's copy, for the day when the card dies before it
            was sent; by printers that draw QR codes themselves.
        open_drawer_after: Slips after which the printer's cash drawer opens: ``shift``, ``result``; none by default.
            Only originals, and only while they are younger than a minute.
        beep_at_refusals: Sound the printer's buzzer, where its profile has one, besides the display.
    """

    result_slip: str = "window"
    job_expiry_s: int = 3600
    copies_merchant: int = 1
    copies_customer: int = 1
    rescue_code: bool = True
    open_drawer_after: tuple[str, ...] = ()
    beep_at_refusals: bool = False


class JournalConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What this till keeps.

    Attributes:
        retention_days: Closed requests older than this leave the journal, at least 90; 0 = never. The back office keeps
            its own record.
    """

    retention_days: int = 730


class FleetConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who may push configuration to this till (D16).

    Attributes:
        keys: ``kid`` → base64 of the raw 32-byte Ed25519 public key of a fleet key: two, which both sign where broker,
            trust, limits or merchant change, and a third while one is replaced. None = configuration is not pushed.
    """

    keys: dict[str, str] = {}


class RenewalConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where this till renews its certificate by itself (docs/enrolment.md); `pos-agent enrol` writes it.

    Attributes:
        url: ``https://`` address of the back office; empty = certificates are renewed by hand.
        ca_file: PEM of the CA of that address.
    """

    url: str = ""
    ca_file: str = ""


class Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration of one terminal."""

    terminal: TerminalConfig
    broker: BrokerConfig
    trust: TrustConfig
    devices: DevicesConfig = msgspec.field(default_factory=DevicesConfig)
    policy: PolicyConfig = msgspec.field(default_factory=PolicyConfig)
    printing: PrintingConfig = msgspec.field(default_factory=PrintingConfig)
    journal: JournalConfig = msgspec.field(default_factory=JournalConfig)
    renewal: RenewalConfig = msgspec.field(default_factory=RenewalConfig)
    fleet: FleetConfig = msgspec.field(default_factory=FleetConfig)
