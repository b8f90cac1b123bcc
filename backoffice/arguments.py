"""What ``pos-backoffice`` takes: every command says what it does, what it needs and how it ends."""

import argparse
from datetime import date
from pathlib import Path

from backoffice.command_line import CommandGroup, add_merchant, add_search
from backoffice.desired.arguments import add_desired

_EPILOG = """\
first steps:
  pos-backoffice keys   --config backoffice.toml        make the signing key; prints what tills pin
  pos-backoffice setup  --config backoffice.toml shop.toml   make the database; tills, persons, operator numbers
  pos-backoffice sales import --config backoffice.toml sales.csv
  pos-backoffice serve  --config backoffice.toml        prints {"ready": true, "url": …} once it serves

each day:
  pos-backoffice requests list --view pending           what waits, and whether money has moved
  pos-backoffice reconcile bill.csv --acquirer wechat --from 2026-11-22
  pos-backoffice audit verify                           every chain, and the anchors
  pos-backoffice report operators                       who gives back more than others

exit status: 0 done, 1 a fault or a difference found, 2 wrong usage or configuration
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="pos-backoffice",
        description="Review, approval, execution and results of refund requests that tills send.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root = CommandGroup(parser, dest="command")
    root.command(
        "serve",
        "run pages, ingest and executor until SIGTERM",
        "Prints one JSON line once it serves. Several workers may run on PostgreSQL.",
    )
    root.command("init", "create or migrate the database", "Safe to repeat; 'serve' does the same when it starts.")
    _add_setup(root)
    keys = root.command("keys", "make the Ed25519 signing key", "Never overwrites one. Prints what tills pin.")
    keys.add_argument("--show", action="store_true", help="make none, print the public half of the one there is")
    demo = root.command("demo-data", "import sales to learn and test with")
    demo.add_argument("--today", help="YYYY-MM-DD, to which the sales' dates are relative; default today")
    add_merchant(demo)
    demo.add_argument("--acquirer", default="simulated", help="acquirer id of the sales (%(default)s)")
    demo.add_argument("--terminal", default="", help="terminal id of the sales; default = none")
    _add_people(root)
    _add_terminals(root)
    _add_requests(root)
    _add_coupons(root)
    _add_upkeep(root)
    _add_audit(root)
    add_desired(root)
    root.offline("version", "print the version")
    return parser


def _add_setup(root: CommandGroup) -> None:
    setup = root.command(
        "setup",
        "declare tills, persons and operator numbers of a shop or a chain in one file",
        "All of it is written, or nothing. Safe to repeat: what is as the file says stays, what it does not\n"
        "name stays too. Makes or migrates the database first, as 'init'. Keys of the file:\n"
        "  terminals   id, merchant, merchant_name, device_kid, device_key\n"
        "  persons     login, name, role, person; password or password_hash (argon2id), not needed for a known login\n"
        "  operators   merchant, no, person; name, which makes the person",
        "pos-backoffice setup shop.toml --dry-run",
    )
    setup.add_argument("file", type=Path, help=".toml or .json; - = JSON on standard input. chmod 600 with passwords")
    setup.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")


def _add_people(root: CommandGroup) -> None:
    person = root.group("person", "persons and their sign-ins")
    add = person.command(
        "add",
        "add a person",
        "The password comes on standard input, never as an argument: others could read it in the list of processes.",
        'pos-backoffice person add --login li --name "Li Na" --role finance < password.txt',
    )
    add.add_argument("--login", required=True)
    add.add_argument("--name", default="", help="as people read it; default = the login")
    add.add_argument("--role", required=True, choices=["viewer", "approver", "finance", "manager"])
    add.add_argument("--person", help="person id; default = the login. Give an existing one for a second account")
    password = person.command(
        "password",
        "give a sign-in another password",
        "It comes on standard input. Whatever is open under the old one ends.",
        "pos-backoffice person password --login li < password.txt",
    )
    password.add_argument("--login", required=True)
    for parser in (
        person.command("deny", "shut a person out at once", "Open sign-ins end."),
        person.command("allow", "let a person in again"),
    ):
        parser.add_argument("--person", required=True)
    operator = root.group("operator", "operator numbers of tills")
    mapping = operator.command(
        "map",
        "say which person an operator number is",
        "Whoever a number was, or is now, decides on no request of that number.",
        "pos-backoffice operator map --merchant M1 --no 01 --person li",
    )
    mapping.add_argument("--merchant", required=True)
    mapping.add_argument("--no", required=True)
    mapping.add_argument("--person", required=True, help="person id; made if missing, then --name is needed")
    mapping.add_argument("--name", default="")


def _add_terminals(root: CommandGroup) -> None:
    terminal = root.group("terminal", "tills")
    add = terminal.command("add", "enrol a till, or give it another key")
    add.add_argument("--id", required=True, help="t-… as in the certificate")
    add.add_argument("--merchant", required=True)
    add.add_argument("--merchant-name", default="")
    add.add_argument("--device-kid", required=True)
    add.add_argument("--device-key", required=True, help="base64 of the raw 32-byte Ed25519 public key")
    listing = terminal.command(
        "list",
        "list tills, 50 a page",
        "'missing' counts submissions that the till made and we have not got, 'undelivered' states that it has not "
        "acknowledged.",
        "pos-backoffice terminal list --view problems --json",
    )
    listing.add_argument("--view", default="all", choices=["all", "problems", "online", "offline"])
    add_search(listing, "part of the till's or the merchant's id")
    listing.add_argument("--agent-version", default="")
    listing.add_argument("--sort", default="id", choices=["id", "seen"], help="seen = silent longest first")
    for parser in (
        terminal.command("show", "show which configuration a till runs, was given and said"),
        terminal.command("deny", "revoke a till", "Its requests are held from now on."),
        terminal.command("clear", "end a suspicion or a revocation"),
    ):
        parser.add_argument("--id", required=True)
    _add_enrolment(root, terminal)


def _add_enrolment(root: CommandGroup, terminal: CommandGroup) -> None:
    ca = root.group("ca", "the CA of the tills")
    made = ca.command(
        "make",
        "make the CA of the tills, and with --host a CA and certificate for HTTPS",
        "Files as [enrolment] and [tls] name them; none is ever overwritten.",
        "pos-backoffice ca make --host office.example --host 192.0.2.7",
    )
    made.add_argument("--host", action="append", default=[], help="name or address of this machine; may be repeated")
    ca.command(
        "crl", "write the list of revoked certificates again and tell the broker", "A timer runs it once a week."
    )
    invite = terminal.command(
        "invite",
        "make a one-time code for a new till, or for one that is set up again",
        "Prints it once: 24 hours, five tries. The PIN of --supervisor comes on standard input, never as an argument.",
        "pos-backoffice terminal invite t-shop-01 --merchant M1 --supervisor 90 --name Li",
    )
    invite.add_argument("terminal_id", metavar="TERMINAL_ID", help="t-… as the certificate will name it")
    add_merchant(invite, "the till's own, or ")
    invite.add_argument("--merchant-name", default="", help="as slips print it; default = the one that is known")
    invite.add_argument("--store", default="", help="name of the store, as slips print it")
    invite.add_argument("--supervisor", default="", metavar="NO", help="number of the first operator, two digits")
    invite.add_argument("--person", default="", help="who that is; default = TERMINAL_ID/NO")
    invite.add_argument("--name", default="", help="that person's name")
    invite.add_argument("--url", default="", help="as the till reaches this back office; default = server.public_url")
    invite.add_argument("--after-revocation", action="store_true", help="the till is revoked and this replaces it")
    invite.add_argument("--out", type=Path, help="also write the invitation to this new file, for a USB stick")
    terminal.command("waiting", "list tills that wait for acceptance")
    accept = terminal.command(
        "accept",
        "let a till in whose fingerprint you compared, or let an expired one renew",
        example='pos-backoffice terminal accept t-shop-01 --fingerprint "3f2a 9c01 …"',
    )
    accept.add_argument("--fingerprint", default="", help="as the till shows it; asked for if left out")
    refuse = terminal.command("refuse", "refuse a till that waits")
    revoke = terminal.command(
        "revoke",
        "deny a till, revoke its certificates and write the broker's list",
        "Its requests are held from now on, whatever the broker does.",
    )
    for parser in (accept, refuse, revoke):
        parser.add_argument("terminal_id", metavar="TERMINAL_ID")


def _add_requests(root: CommandGroup) -> None:
    requests = root.group("requests", "refund requests")
    listing = requests.command(
        "list",
        "list requests, 50 a page",
        "Each with 'money': no, unknown or yes. 'unknown' is what it says: do not ask for it again.",
        "pos-backoffice requests list --view pending",
    )
    listing.add_argument("--view", default="pending", help="pending (what waits for people), all, or a state")
    add_search(listing, "request number or its last digits, or those of the order number")
    show = requests.command("show", "show one request with its trail")
    show.add_argument("id", help="the 22 digits on the slip")
    rescued = root.command(
        "rescue",
        "take requests from the QR codes of slips, or from the file of 'pos-agent outbox export'",
        "For a till whose card died before it could send them. One code a line, as a scanner types it, or the till's "
        "file; each request carries the till's signature. Taken twice, or sent by the till after all, it is one "
        "request. Exit status 1: at least one was refused.",
        "pos-backoffice rescue --by li --json < codes.txt",
    )
    rescued.add_argument(
        "file", type=Path, nargs="?", help="codes, one a line, or a till's file; none or - = standard input"
    )
    rescued.add_argument("--text", default="", help="the text of one code")
    rescued.add_argument("--by", default="cli", help="who brings the slips, for the audit trail (%(default)s)")
    sales = root.group("sales", "the sale ledger")
    load = sales.command(
        "import",
        "import or correct sales from .csv or .json",
        "Known sales keep their money; label, store, operator and payer may be corrected.",
    )
    load.add_argument("file", type=Path)
    report = root.group("report", "reports")
    operators = report.command(
        "operators",
        "compare what each operator number gave back with what it sold (F14)",
        "Noticeable = above the mean of the merchant by more than 1.5 standard deviations. A ratio is no proof.",
    )
    operators.add_argument("--days", type=int, default=30)


def _add_coupons(root: CommandGroup) -> None:
    coupon = root.group("coupon", "goodwill coupons, and taking coupons of any kind")
    issue = coupon.command(
        "issue",
        "make a goodwill coupon from the month's budget",
        "Prints its code once: only a hash is kept. Above [coupons] alone_up_to_minor another person approves first.",
        "pos-backoffice coupon issue --amount 20 --reason 'long wait' --by li",
    )
    issue.add_argument("--amount", required=True, help="in yuan, as at the till: 3 or 3.50")
    issue.add_argument("--reason", required=True)
    issue.add_argument("--store", default="", help="store of the merchant")
    issue.add_argument("--request", default="", help="the refund that it is a courtesy beside")
    approve = coupon.command("approve", "approve a coupon that another person asked for; prints its code once")
    approve.add_argument("id", help="as 'coupon list' says")
    redeem = coupon.command(
        "redeem",
        "take a coupon, once",
        "Without --code it is read from standard input. Exit status 1 and the reason, if it is not taken: used before "
        "(and when), expired, unknown, another merchant's.",
        "pos-backoffice coupon redeem --receipt 20261123-0042 --by li --json < code.txt",
    )
    redeem.add_argument("--code", default="", help="20 digits, in groups or not")
    redeem.add_argument("--receipt", default="", help="of the cash desk; the same again is no second redemption")
    for parser in (issue, redeem):
        add_merchant(parser)
    for parser in (issue, approve, redeem):
        parser.add_argument("--by", required=True, metavar="PERSON", help="who does it, for roles and the audit trail")
    listing = coupon.command("list", "list coupons, their sums, and what is left of the budgets")
    listing.add_argument("--state", default="", choices=["", "pending", "issued", "redeemed", "refused"])
    listing.add_argument("--limit", type=int, default=100)


def _add_upkeep(root: CommandGroup) -> None:
    copy = root.command(
        "backup",
        "copy the database while it is in use",
        "The copy is one moment, checked and read back; of PostgreSQL by its own pg_dump.",
        "pos-backoffice backup /mnt/safe/2026-11-23.db",
    )
    copy.add_argument("file", type=Path, help="where to; never overwritten")
    restore = root.command(
        "restore",
        "put a copy back and start a new epoch",
        "Puts a copy in the place of the database, which is kept beside it. Until the tills have offered their\n"
        "requests again and the acquirers were asked about every refund, nothing is executed or decided.\n"
        "Stop all back offices first.",
    )
    restore.add_argument(
        "file", type=Path, nargs="?", help="copy made by 'backup'; none = the database was put back by other means"
    )
    resume = root.command("resume", "say how far a restore is, or end it by hand")
    resume.add_argument("--anyway", action="store_true", help="end it although something could not be checked")
    resume.add_argument("--by", default="", help="with --anyway: who answers for it")
    bill = root.command(
        "reconcile",
        "compare an acquirer's bill with the record",
        "Every difference opens a case for two persons, once: running it again opens nothing new. A bill is CSV or\n"
        "JSON with refund_no, amount_minor, sale_ref, currency, at.",
        "pos-backoffice reconcile bill.csv --acquirer wechat --from 2026-11-22",
    )
    bill.add_argument("bill", type=Path, nargs="?", help="the bill; none = ask the (simulated) acquirer itself")
    bill.add_argument("--acquirer", default="simulated", help="whose bill it is (%(default)s)")
    for flag, name, what in (
        ("--from", "first", "first day that it covers; default = the days of its lines"),
        ("--to", "last", "last day that it covers; default = the first"),
    ):
        bill.add_argument(flag, dest=name, type=date.fromisoformat, metavar="YYYY-MM-DD", help=what)


def _add_audit(root: CommandGroup) -> None:
    chains = root.group("audit", "the hash chains")
    verify = chains.command(
        "verify",
        "check the chain of every request, and what was anchored",
        "Names each chain that was changed, and the first anchored line that differs or is gone.",
        "pos-backoffice audit verify --anchors /mnt/safe/anchors.jsonl",
    )
    verify.add_argument("--anchors", type=Path, action="append", help="an anchor file; default = the configured one")
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KID=BASE64",
        help="an earlier back-office key that signed anchors",
    )
    chains.command(
        "anchor", "write the heads of all chains that grew to the anchor file now", "'serve' does it each hour."
    )
    compare = chains.command(
        "compare",
        "compare a till's chain, or the head on its shift slip, with the heads that the till told over time",
        "Prints the same head as the slip, or names the first head that is not in the till's chain.",
        'pos-backoffice audit compare --terminal t-shop-01 --head "3f2a 9c01 …"',
    )
    compare.add_argument("file", type=Path, nargs="?", help="written by 'pos-agent audit verify --heads FILE'")
    compare.add_argument("--terminal", default="", help="with --head: whose slip")
    compare.add_argument("--head", default="", help="the head as printed; spaces do not count")
