"""What indexd is known to do wrong, and what may happen to an index: each has a test that it does not here.

Complaints come from indexd's tracker, from its documentation and from trying it.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DEFECTS = "contract/index/test_defects.py"
NONSENSE = "contract/index/test_nonsense.py"
BUNDLES = "contract/index/test_bundles.py"
DRS = "contract/index/test_drs.py"
API = "integration/index/test_records_api.py"
REFUSALS = "integration/index/test_refusals.py"
RIGHTS = "integration/index/test_rights.py"
PLANS = "integration/index/test_plans.py"
KILLED = "integration/index/test_blob_faults.py"
DELETIONS = "integration/auth/test_deletions.py"
STATEMENTS = "integration/index/test_statements.py::test_a_read_is_one_statement"

# -- writers --------------------------------------------------------------------------------------------------------
CONCURRENCY = {
    "several updates from one revision win": f"{DEFECTS}::test_one_of_many_updates_from_the_same_revision_wins",
    "several deletions of one revision win": f"{DEFECTS}::test_one_of_many_deletions_of_the_same_revision_wins",
    "a blank record is filled twice": f"{DEFECTS}::test_a_blank_record_is_filled_once",
    "a GUID is given twice": f"{DEFECTS}::test_one_of_many_records_with_the_same_guid_is_created",
    "an alias is given twice": f"{DEFECTS}::test_one_of_many_records_gets_an_alias",
    "creates wait for a row of totals or fail in a new month": f"{DEFECTS}::test_creates_do_not_wait_for_each_other",
    "grants of versions are written without looking": (
        f"{API}::test_grants_of_versions_that_changed_after_they_were_decided_about_stay"
    ),
}
# -- permission -----------------------------------------------------------------------------------------------------
PERMISSION = {
    "an uploader without a project gets 401": f"{RIGHTS}::test_who_may_create_a_blank_record",
    "an uploader cannot fill his record": f"{RIGHTS}::test_an_uploader_fills_only_his_own_blank_record",
    "a refusal is a 401": f"{RIGHTS}::test_who_may_create",
    "passwords, hashed without salt, may do everything": f"{DEFECTS}::test_a_password_opens_nothing",
    "authz that is no list fails": f"{DEFECTS}::test_the_paths_of_a_blank_record_are_a_list",
}
# -- 500 for bad input, and nonsense that is stored -----------------------------------------------------------------
INPUT = {
    "arguments of reads": f"{NONSENSE}::test_no_argument_makes_a_read_fail",
    "hash and metadata without a colon, other filters": f"{REFUSALS}::test_a_bad_list_argument_is_refused",
    "numbers of the other reads, missing key or value": f"{REFUSALS}::test_other_bad_arguments_are_refused",
    "bulk reads of nothing, or of no list": f"{REFUSALS}::test_the_bodies_of_bulk_reads",
    "bodies of writes": f"{NONSENSE}::test_no_body_makes_a_write_fail",
    "text with NUL": f"{NONSENSE}::test_text_that_cannot_be_stored_is_refused_wherever_it_is",
    "size of 2^63": f"{NONSENSE}::test_a_size_is_a_number_that_fits",
    "dates, URLs, hashes, paths": f"{NONSENSE}::test_a_bad_value_is_named_when_a_record_is_created",
    "the same in changes": f"{NONSENSE}::test_a_bad_value_is_named_when_a_record_is_changed",
    "hashes of blank records are unchecked": f"{NONSENSE}::test_a_bad_value_is_named_when_a_blank_record_is_filled",
    "a URL twice is 'already exists'": f"{REFUSALS}::test_a_fault_in_a_new_record_is_named",
    "aliases without a value": f"{NONSENSE}::test_bad_aliases_are_refused",
    "paths that are no text": f"{NONSENSE}::test_a_path_that_is_no_text_is_refused",
    "start of a list of bundles": f"{BUNDLES}::test_lists_hold_records_bundles_or_both",
    "errors are HTML": f"{DEFECTS}::test_an_error_is_json_whatever_goes_wrong",
    "values are read as SQL": f"{DEFECTS}::test_values_are_never_read_as_sql",
}
# -- limits and costs -----------------------------------------------------------------------------------------------
COSTS = {
    "limits of bulk requests are not enforced": f"{DEFECTS}::test_limits_that_are_announced_are_enforced",
    "those of DRS neither": f"{DRS}::test_more_than_is_announced_is_refused",
    "form=all exceeds the limit": f"{BUNDLES}::test_lists_hold_records_bundles_or_both",
    "a statement for each URL of each record": STATEMENTS,
    "a list of DRS costs a statement for each object": (
        "integration/index/test_statements.py::test_a_read_by_another_name_than_the_guid_or_of_bundles_too_is_two"
    ),
    "url= and page= read every record": f"{PLANS}::test_a_filter_has_its_index",
    "a page far on is counted from the start": f"{PLANS}::test_a_page_starts_after_the_page_before",
    "the region of a bucket is asked of another service": f"{DRS}::test_d03_a_bucket_of_this_commons_tells_the_region",
}
# -- what reads tell ------------------------------------------------------------------------------------------------
READS = {
    "ids= finds nothing without a prefix": f"{DEFECTS}::test_ids_find_records_where_guids_have_no_prefix",
    "GUIDs without their prefix are for reads alone": (
        "integration/index/test_prefix.py::test_a_record_is_written_with_and_without_the_prefix"
    ),
    "urls= is ignored": f"{DEFECTS}::test_both_names_of_the_filter_by_url_work",
    "one of several hashes finds nothing": f"{DEFECTS}::test_one_of_several_hashes_finds_a_record",
    "size=0 is no filter": f"{DEFECTS}::test_a_size_of_nothing_is_a_filter_too",
    "acl=null does not find empty lists": "integration/index/test_existing.py::test_lists_hold_the_old_records",
    "one odd record makes a list fail": "integration/index/test_existing.py::test_an_odd_record_spoils_no_list",
    "a record comes twice, or never, where dates are equal": (
        f"{DEFECTS}::test_pages_by_date_hold_every_record_once_though_dates_are_equal"
    ),
    "a slash after a GUID is a 404": f"{API}::test_a_record_is_found_with_slashes_in_its_guid_and_after_it",
    "values of metadata become text, nested ones fail": (
        f"{DEFECTS}::test_what_is_stored_as_a_number_or_object_comes_back_as_it_was"
    ),
    "the order of URLs is lost": f"{DEFECTS}::test_the_order_of_urls_is_kept",
    "zones of dates are dropped": f"{API}::test_dates_with_an_offset_are_kept_as_utc",
    "metastring of an alias is lost": f"{API}::test_the_deprecated_alias_route_says_what_to_use",
    "the contents of bundles go stale": f"{BUNDLES}::test_contents_are_told_as_they_are_now",
    "a client's paging ends early": "contract/index/test_clients.py::test_a_list_is_paged_to_its_end",
    "a baseid is taken for a GUID": f"{DEFECTS}::test_a_baseid_is_no_guid_but_leads_to_the_newest_version",
    "several records have a hash": "integration/index/test_bulk.py::test_records_are_found_by_many_checksums",
}
# -- DRS ------------------------------------------------------------------------------------------------------------
OBJECTS = {
    "OPTIONS of a bundle fails": f"{DRS}::test_a_bundle_needs_no_authorization_and_has_no_bytes",
    "bundles are missing from bulk answers": f"{DRS}::test_d11_d12_many_objects_are_told_of_at_once",
    "expand in a body is ignored": f"{DRS}::test_a_body_can_ask_for_everything_below",
    "passports are ignored": "integration/index/test_drs.py::test_passports_are_refused_rather_than_ignored",
    "created_time is null": f"{DRS}::test_d10_an_object_is_what_drs_says",
    "drs_uri of contents is no list": f"{DRS}::test_a_bundle_is_what_drs_says",
    "access ids are not unique": "unit/index/test_deciding.py::test_access_ids_are_unique",
    "self_uri leads nowhere for another prefix": f"{DRS}::test_d22_its_own_uri_leads_back_to_the_object",
    "prefixes are doubled, slashes in ids get lost": f"{DRS}::test_d25_an_object_is_found_by_every_form_of_its_id",
    "access is another service's": f"{DRS}::test_access_is_what_drs_says",
}
# -- faults ---------------------------------------------------------------------------------------------------------
FAULTS = {
    "kill -9 during bulk create, update and delete": (
        "integration/index/test_faults.py::test_a_killed_index_leaves_bulk_writes_whole_or_absent"
    ),
    "kill -9 during verification": (f"{KILLED}::test_an_upload_whose_verifier_was_killed_is_verified_by_the_next"),
    "kill -9 during the deletion of bytes": (
        f"{KILLED}::test_deletions_whose_sweeper_was_killed_are_finished_by_the_next"
    ),
    "PostgreSQL stops for ten seconds under load": (
        "integration/index/test_outage.py::test_an_outage_of_the_database_costs_nothing_but_time"
    ),
    "PostgreSQL crashes under bulk writes": (
        "integration/index/test_faults.py::test_a_database_that_crashes_under_load_is_told_of_and_met_again"
    ),
    "the store stops before a deletion": f"{DELETIONS}::test_nothing_goes_where_one_store_is_stopped",
    "the store stops within a deletion": (
        f"{DELETIONS}::test_what_a_store_that_stops_in_the_middle_keeps_goes_when_it_is_back"
    ),
    "the store stops while an upload is read": (
        f"{KILLED}::test_a_store_that_stops_while_an_upload_is_read_fails_no_upload"
    ),
}
EVERY = [CONCURRENCY, PERMISSION, INPUT, COSTS, READS, OBJECTS, FAULTS]


@pytest.mark.parametrize("test", sorted({test for table in EVERY for test in table.values()}))
def test_the_test_of_a_defect_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((TESTS / file).read_text())
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
