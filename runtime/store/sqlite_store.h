// The store on SQLite: one file in the state directory, or memory only.
//
//   <directory>/state.db, -wal, -shm    the records, and those put in quarantine
//   <directory>/lock                    flock held as long as the store is open
//
// A record carries a checksum: one that is damaged is put in quarantine when it is read, is said on
// standard error once, and is absent from then on. A file that is no database, or whose pages are
// not whole, is renamed state.db.damaged-<time>, and a new one begins with what is whole of it
// (sqlite_file.h). A file of a newer schema is refused.
#pragma once

#include <memory>
#include <string>

#include "isolation/base/result.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

inline constexpr int kStoreSchema = 1;

// `directory` is made if missing; "" keeps everything in memory. kConflict when another process (or
// store) has the directory open.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& directory);

}  // namespace skiff::runtime
