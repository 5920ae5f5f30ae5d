// The file of the state: its tables, its schema's version, and what becomes of a damaged one.
//
// A file whose pages are not whole is kept aside, and the records that can still be read are taken
// over into a new one: damage costs what it hit, never the daemon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "runtime/store/sqlite.h"

namespace skiff::runtime {

// Of a record, in the column beside it.
uint32_t ChecksumOf(std::string_view key, std::string_view value);

// Opens or makes the file (":memory:" for none). kUnavailable when a newer version made it.
Result<Database> OpenStateFile(const std::string& path);

Result<uint64_t> LastRevision(sqlite3* database);

}  // namespace skiff::runtime
