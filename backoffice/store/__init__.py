"""Tables, transactions, migrations of the back office."""

# Every module with tables, so that `Base.metadata` is whole whoever asks.
from backoffice.store import approval_tables as approval_tables
from backoffice.store import coupon_tables as coupon_tables
from backoffice.store import enrolment_tables as enrolment_tables
from backoffice.store import restore_tables as restore_tables
from backoffice.store import rollout_tables as rollout_tables
