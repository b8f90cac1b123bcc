"""What commissioning asks the technician and prints: (zh-CN, en). Pure data; shown in both languages at once."""

from typing import Final

COMMISSIONING: Final[dict[str, tuple[str, str]]] = {
    # On paper before anything is known of the printer: letters that every one has.
    "title": ("COMMISSIONING - NOT A RECEIPT", "COMMISSIONING - NOT A RECEIPT"),
    "sample": ("退款小票 中文 ￥12.34", "退款小票 中文 ￥12.34"),
    "stray": ("纸上 {about} 那一行后面有奇怪字符? 1有 2无", "Stray characters behind {about}? 1 yes 2 no"),
    "cover_is_open": (
        "请打开打印机上盖, 开好按1 (不方便按2)",
        "Open the printer's cover, then press 1 (2 if you cannot)",
    ),
    "cover_is_shut": ("请合上上盖, 合好按1", "Shut the cover, then press 1"),
    "is_ruler_whole": (
        "第{about}行: 数字在一行内, 以 | 结尾? 1是 2否",
        "Line {about}: digits on one line that ends with | ? 1 yes 2 no",
    ),
    "is_han_right": (
        "第{about}行: 汉字和￥12.34都对? 1对 2不对",
        "Line {about}: Chinese and ￥12.34 right? 1 yes 2 no",
    ),
    "is_picture_right": (
        "第{about}行: 汉字和￥12.34都对? 1对 2不对",
        "Line {about}: Chinese and ￥12.34 right? 1 yes 2 no",
    ),
    "is_barcode_there": ("{about}: 有条码? 1有 2无", "{about}: a bar code? 1 yes 2 no"),
    "is_qr_there": ("{about}: 有二维码? 1有 2无", "{about}: a QR code? 1 yes 2 no"),
    "is_cut": ("{about}: 纸切断了? 1切了 2没切", "{about}: was the paper cut? 1 yes 2 no"),
    "has_drawer": ("打印机接了钱箱? 1接了 2没有", "Is a cash drawer on the printer? 1 yes 2 no"),
    "is_drawer_open": ("钱箱弹开了 ({about})? 1开了 2没开", "Did the drawer open ({about})? 1 yes 2 no"),
    "is_drawer_shut": ("请关上钱箱, 关好按1", "Shut the drawer, then press 1"),
    "is_beep_heard": ("听到响声? 1听到 2没有", "Did it beep? 1 yes 2 no"),
}


def both(key: str, **parameters: str) -> str:
    """Return the words in both languages, a line each."""
    return "\n".join(words.format(**parameters) for words in dict.fromkeys(COMMISSIONING[key]))
