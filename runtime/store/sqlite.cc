#include "runtime/store/sqlite.h"

namespace skiff::runtime {
namespace {

Code CodeOfStatus(int status) {
  switch (status & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kConflict;
    // The host's trouble, not a limit that the caller reached.
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Error DatabaseError(sqlite3* database, int status, std::string_view what) {
  return Error(CodeOfStatus(status), std::string(what) + ": " + sqlite3_errmsg(database));
}

Result<Statement> Statement::Prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int status =
      sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (status != SQLITE_OK) return DatabaseError(database, status, sql);
  return Statement(statement);
}

void Statement::Bind(int place, std::string_view text) {
  // Blobs order bytewise and may hold anything.
  sqlite3_bind_blob64(statement_.get(), place, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC);
}

void Statement::Bind(int place, uint64_t number) {
  sqlite3_bind_int64(statement_.get(), place, static_cast<sqlite3_int64>(number));
}

Result<bool> Statement::Step() {
  int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  sqlite3* database = sqlite3_db_handle(statement_.get());
  Error error = DatabaseError(database, status, "state database");
  Reset();
  return error;
}

Result<> Statement::Run() {
  for (;;) {
    bool has_row = TRY(Step());
    if (!has_row) break;
  }
  Reset();
  return {};
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return size == 0 ? "" : std::string(static_cast<const char*>(bytes), size);
}

uint64_t Statement::Number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

Result<> Execute(sqlite3* database, const char* sql) {
  int status = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return DatabaseError(database, status, "state database");
  return {};
}

}  // namespace skiff::runtime
