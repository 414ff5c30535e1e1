"""What a delivery must keep before a row of it is read. Whoever breaks one of these is stopped: nothing of the group lands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Rule id -> what it promises.
LANDING_RULES: Mapping[str, str] = {
    "manifest_is_readable": "the manifest has its fields, and a time with a zone",
    "manifest_is_in_its_folder": "the manifest is of the feed and the date of its folder",
    "deliveries_are_told_apart": "no two deliveries of a feed are produced at the same instant",
    "source_is_ours": "the delivery is of the source that is ingested",
    "manifest_adds_up": "rows of the manifest = rows of its files",
    "files_are_named": "every file of the folder is named by the manifest",
    "file_is_there": "every file of the manifest can be read",
    "bytes_match_manifest": "bytes of the file = bytes of the manifest",
    "checksum_matches_manifest": "sha256 of the file = sha256 of the manifest",
    "no_rows_means_none": "a file of which the manifest says no rows holds none",
    "compression_is_declared": "the file's name says the mapping's compression",
    "file_is_whole": "the file can be unpacked and opened to its end",
    "lines_are_whole": "the last line ends",
    "encoding_is_declared": "the file is in the mapping's encoding",
    "columns_match_mapping": "the columns are those of the mapping",
    "columns_are_in_order": "the columns are in the mapping's order",
    "columns_are_text": "every column is delivered as text",
    "not_empty_on_a_working_day": "a feed that always has rows has some on a working day",
    "lines_become_rows": "every line of a bulk file becomes a row",
}
