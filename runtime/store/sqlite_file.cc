#include "runtime/store/sqlite_file.h"

#include <fcntl.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sys/file.h"
#include "runtime/store/limits.h"
#include "runtime/store/sqlite_store.h"

namespace skiff::runtime {
namespace {

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS records(key BLOB PRIMARY KEY, value BLOB NOT NULL,"
    " version INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS quarantine(key BLOB NOT NULL, value BLOB NOT NULL,"
    " reason TEXT NOT NULL, wall_ns INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS revision(last INTEGER NOT NULL);"
    "INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM revision);";

Result<uint64_t> QueryNumber(sqlite3* database, const char* sql) {
  Statement statement = TRY(Statement::Prepare(database, sql));
  bool has_row = TRY(statement.Step());
  return has_row ? statement.Number(0) : 0;
}

Result<Database> OpenFile(const std::string& path) {
  sqlite3* opened = nullptr;
  int status = sqlite3_open_v2(
      path.c_str(), &opened,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(opened);
  if (status != SQLITE_OK) return DatabaseError(opened, status, path);
  std::string settings = "PRAGMA journal_mode=WAL; PRAGMA cache_size=-" +
                         std::to_string(kStorePageCacheKib) +
                         "; PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_autocheckpoint=1000;";
  TRY(Execute(database.get(), settings.c_str()).Context(path));
  return database;
}

// Before anything is written: a damaged page would spread.
Result<> CheckPages(sqlite3* database, const std::string& path) {
  Statement check = TRY(Statement::Prepare(database, "PRAGMA quick_check(1)").Context(path));
  bool has_row = TRY(check.Step().Context(path));
  std::string verdict = has_row ? check.Text(0) : "no verdict";
  if (verdict == "ok") return {};
  return Error(Code::kInternal, path + ": " + verdict);
}

Result<> Migrate(sqlite3* database, const std::string& path) {
  uint64_t schema = TRY(QueryNumber(database, "PRAGMA user_version").Context(path));
  if (schema > kStoreSchema) {
    return Error(Code::kUnavailable, path + " is of schema " + std::to_string(schema) +
                                         ", this version knows up to " +
                                         std::to_string(kStoreSchema) +
                                         ": use the newer skiffd, or another state directory");
  }
  TRY(CheckPages(database, path));
  std::string sql = std::string("BEGIN;") + kTables +
                    "PRAGMA user_version=" + std::to_string(kStoreSchema) + ";COMMIT;";
  return Execute(database, sql.c_str()).Context(path);
}

Result<Database> OpenChecked(const std::string& path) {
  Database database = TRY(OpenFile(path));
  TRY(Migrate(database.get(), path));
  return database;
}

// ---- what is whole of a damaged file ----

class Salvage {
 public:
  static Result<Salvage> Begin(sqlite3* fresh) {
    Statement write = TRY(Statement::Prepare(
        fresh, "INSERT OR IGNORE INTO records(key, value, version, checksum) VALUES(?,?,?,?)"));
    return Salvage(std::move(write));
  }

  // From one end until a page cannot be read. Records that the other end had are not lost twice.
  void Take(sqlite3* damaged, const char* sql) {
    Result<Statement> rows = Statement::Prepare(damaged, sql);
    for (size_t i = 0; rows.ok() && i < kMaxSalvagedRows; ++i) {
      Result<bool> has_row = rows.value().Step();
      if (!has_row.ok() || !has_row.value()) return;
      TakeRow(rows.value());
    }
  }

  size_t count() const { return count_; }
  uint64_t last_version() const { return last_version_; }

 private:
  explicit Salvage(Statement write) : write_(std::move(write)) {}

  void TakeRow(const Statement& row) {
    std::string key = row.Text(0);
    std::string value = row.Text(1);
    uint64_t version = row.Number(2);
    uint64_t checksum = row.Number(3);
    if (key.empty() || ChecksumOf(key, value) != checksum) return;
    write_.Bind(1, key);
    write_.Bind(2, value);
    write_.Bind(3, version);
    write_.Bind(4, checksum);
    if (!write_.Run().ok()) return;
    ++count_;
    last_version_ = std::max(last_version_, version);
  }

  Statement write_;
  size_t count_ = 0;
  uint64_t last_version_ = 0;
};

// Versions go on counting up: a compare-and-swap never meets an old one again.
Result<size_t> TakeOver(const std::string& aside, sqlite3* fresh) {
  Database damaged = TRY(OpenFile(aside));
  TRY(Execute(fresh, "BEGIN IMMEDIATE"));
  Salvage salvage = TRY(Salvage::Begin(fresh));
  salvage.Take(damaged.get(), "SELECT key, value, version, checksum FROM records ORDER BY key");
  salvage.Take(damaged.get(),
               "SELECT key, value, version, checksum FROM records ORDER BY key DESC");
  Result<uint64_t> revision = LastRevision(damaged.get());
  uint64_t last = std::max(salvage.last_version(), revision.ok() ? revision.value() : 0);
  TRY(Execute(fresh, ("UPDATE revision SET last=" + std::to_string(last) + ";COMMIT").c_str()));
  return QueryNumber(fresh, "SELECT count(*) FROM records");
}

Result<std::string> SetFileAside(const std::string& path) {
  std::string aside = path + ".damaged-" + std::to_string(WallNanoseconds());
  TRY(sys::Rename(AT_FDCWD, path, AT_FDCWD, aside));
  for (const char* suffix : {"-wal", "-shm"}) {
    sys::Rename(AT_FDCWD, path + suffix, AT_FDCWD, aside + suffix).Ignore();
  }
  return aside;
}

}  // namespace

uint32_t ChecksumOf(std::string_view key, std::string_view value) {
  uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(key.data()), key.size());
  sum = crc32_z(sum, reinterpret_cast<const Bytef*>(value.data()), value.size());
  return static_cast<uint32_t>(sum);
}

Result<uint64_t> LastRevision(sqlite3* database) {
  return QueryNumber(database, "SELECT last FROM revision");
}

Result<Database> OpenStateFile(const std::string& path) {
  Result<Database> opened = OpenChecked(path);
  if (opened.ok() || opened.error().code() != Code::kInternal) return opened;
  std::string aside = TRY(SetFileAside(path));
  Database fresh = TRY(OpenChecked(path));
  Result<size_t> saved = TakeOver(aside, fresh.get());
  std::string rest = saved.ok() ? std::to_string(saved.value()) + " records of it are whole"
                                : "nothing of it can be read";
  Log(LogLevel::kError, opened.error().message() + ": it is kept as " + aside + "; " + rest);
  if (!saved.ok()) sqlite3_exec(fresh.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return fresh;
}

}  // namespace skiff::runtime
