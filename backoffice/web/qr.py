"""A QR code as SVG in the page itself: nothing is fetched, and no script runs."""

from typing import Final

import qrcode  # type: ignore[import-untyped]
from markupsafe import Markup

#: Modules of the quiet zone. Source: ISO/IEC 18004:2015, 6.3.8.
_MARGIN: Final = 4


def qr_svg(text: str, *, title: str) -> Markup:
    """Return the code of a text at error correction M, as large as its place.

    Args:
        text: Without a limit of its own; `pos_agent.protocol.qr_text.MAX_CHARS` fits.
        title: For those who cannot see it.
    """
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=_MARGIN)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    dark = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    size = len(rows)
    return Markup(
        '<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" shape-rendering="crispEdges" '
        'role="img" aria-label="{1}"><path fill="#fff" d="M0 0h{0}v{0}H0z"/><path fill="#000" d="{2}"/></svg>'
    ).format(size, title, dark)
