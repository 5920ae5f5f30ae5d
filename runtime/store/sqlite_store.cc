#include "runtime/store/sqlite_store.h"

#include <fcntl.h>

#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/file.h"
#include "runtime/store/limits.h"
#include "runtime/store/sqlite.h"
#include "runtime/store/sqlite_file.h"

namespace skiff::runtime {
namespace {

// The smallest text greater than every text with the prefix; "" when there is none.
std::string EndOf(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

// Everything that is asked of the database, prepared once.
struct Statements {
  Statement get;
  Statement range;
  Statement write;
  Statement erase;
  Statement quarantine;
  Statement set_revision;
};

Result<Statements> PrepareAll(sqlite3* database) {
  Statement get = TRY(Statement::Prepare(
      database, "SELECT key, value, version, checksum FROM records WHERE key = ?1"));
  Statement range = TRY(Statement::Prepare(database,
                                           "SELECT key, value, version, checksum FROM records"
                                           " WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"));
  Statement write = TRY(Statement::Prepare(
      database, "INSERT OR REPLACE INTO records(key, value, version, checksum) VALUES(?,?,?,?)"));
  Statement erase = TRY(Statement::Prepare(database, "DELETE FROM records WHERE key = ?1"));
  Statement quarantine = TRY(Statement::Prepare(
      database, "INSERT INTO quarantine(key, value, reason, wall_ns) VALUES(?,?,?,?)"));
  Statement set_revision = TRY(Statement::Prepare(database, "UPDATE revision SET last = ?1"));
  return Statements{std::move(get),   std::move(range),      std::move(write),
                    std::move(erase), std::move(quarantine), std::move(set_revision)};
}

class SqliteStore final : public Store {
 public:
  SqliteStore(UniqueFd lock, Database database, Statements statements, uint64_t revision)
      : lock_(std::move(lock)),
        database_(std::move(database)),
        statements_(std::move(statements)),
        revision_(revision) {}

  Result<std::optional<StoredRecord>> Get(const std::string& key) override;
  Result<std::vector<StoredRecord>> Range(const RangeRequest& request) override;
  Result<uint64_t> Commit(const std::vector<RecordWrite>& writes, Durability durability) override;
  Result<> Quarantine(const std::string& key, const std::string& reason) override;
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  Result<> Clear() override;

 private:
  struct Watcher {
    std::string prefix;
    OnChange on_change;
  };
  class WatchHandle final : public Watch {
   public:
    WatchHandle(SqliteStore* store, std::list<Watcher>::iterator place)
        : store_(store), place_(place) {}
    ~WatchHandle() override {
      std::lock_guard guard(store_->mutex_);
      store_->watchers_.erase(place_);
    }

   private:
    SqliteStore* store_;
    std::list<Watcher>::iterator place_;
  };

  // The ones below expect the mutex to be held.
  Result<std::optional<StoredRecord>> ReadKey(const std::string& key);
  Result<> SetAside(const StoredRecord& record, const std::string& reason);
  Result<> SetAsideDamaged(const std::vector<StoredRecord>& damaged);
  Result<> CheckExpected(const RecordWrite& write);
  Result<> Write(const RecordWrite& write, uint64_t revision);
  Result<> InTransaction(Durability durability, const std::function<Result<>()>& body);
  void Notify(const std::vector<RecordWrite>& writes);

  std::mutex mutex_;
  UniqueFd lock_;
  Database database_;
  Statements statements_;
  uint64_t revision_;
  std::optional<Durability> synchronous_;  // as the connection is set now
  std::list<Watcher> watchers_;
};

// A row of get or range; the flag tells whether its checksum is right.
std::pair<StoredRecord, bool> RowOf(const Statement& row) {
  StoredRecord record{row.Text(0), row.Text(1), row.Number(2)};
  bool is_whole = ChecksumOf(record.key, record.value) == row.Number(3);
  return {std::move(record), is_whole};
}

Result<std::optional<StoredRecord>> SqliteStore::ReadKey(const std::string& key) {
  Statement& get = statements_.get;
  get.Bind(1, key);
  bool is_there = TRY(get.Step());
  ScopeExit reset([&] { get.Reset(); });
  if (!is_there) return std::optional<StoredRecord>();
  auto [record, is_whole] = RowOf(get);
  reset.Cancel();
  get.Reset();
  if (is_whole) return std::optional<StoredRecord>(std::move(record));
  TRY(SetAsideDamaged({record}));
  return std::optional<StoredRecord>();
}

Result<std::optional<StoredRecord>> SqliteStore::Get(const std::string& key) {
  std::lock_guard guard(mutex_);
  return ReadKey(key);
}

Result<std::vector<StoredRecord>> SqliteStore::Range(const RangeRequest& request) {
  std::lock_guard guard(mutex_);
  std::string end = EndOf(request.prefix);
  if (end.empty()) end.assign(kMaxKeyBytes + 1, '\xff');
  std::vector<StoredRecord> found;
  std::vector<StoredRecord> damaged;
  Statement& range = statements_.range;
  // One lower bound: with two SQLite would seek to the first and read all up to the second.
  std::string begin = request.after < request.prefix ? request.prefix : request.after + '\0';
  range.Bind(1, begin);
  range.Bind(2, end);
  range.Bind(3, request.limit);
  for (;;) {
    bool has_row = TRY(range.Step());
    if (!has_row) break;
    auto [record, is_whole] = RowOf(range);
    (is_whole ? found : damaged).push_back(std::move(record));
  }
  range.Reset();
  TRY(SetAsideDamaged(damaged));
  return found;
}

Result<> SqliteStore::SetAside(const StoredRecord& record, const std::string& reason) {
  Log(LogLevel::kError, "state record " + record.key + " is put in quarantine: " + reason);
  statements_.quarantine.Bind(1, record.key);
  statements_.quarantine.Bind(2, record.value);
  statements_.quarantine.Bind(3, reason);
  statements_.quarantine.Bind(4, static_cast<uint64_t>(WallNanoseconds()));
  TRY(statements_.quarantine.Run());
  statements_.erase.Bind(1, record.key);
  return statements_.erase.Run();
}

Result<> SqliteStore::SetAsideDamaged(const std::vector<StoredRecord>& damaged) {
  if (damaged.empty()) return {};
  return InTransaction(Durability::kAccepted, [&]() -> Result<> {
    for (const StoredRecord& record : damaged) TRY(SetAside(record, "its checksum is wrong"));
    return {};
  });
}

Result<> SqliteStore::Quarantine(const std::string& key, const std::string& reason) {
  std::lock_guard guard(mutex_);
  std::optional<StoredRecord> record = TRY(ReadKey(key));
  if (!record) return {};
  return InTransaction(Durability::kAccepted, [&] { return SetAside(*record, reason); });
}

Result<> SqliteStore::InTransaction(Durability durability, const std::function<Result<>()>& body) {
  if (synchronous_ != durability) {
    const char* pragma = durability == Durability::kAccepted ? "PRAGMA synchronous=FULL"
                                                             : "PRAGMA synchronous=NORMAL";
    TRY(Execute(database_.get(), pragma));
    synchronous_ = durability;
  }
  TRY(Execute(database_.get(), "BEGIN IMMEDIATE"));
  // After some errors (a full disk) SQLite has rolled back by itself; a second time is harmless.
  ScopeExit roll_back(
      [&] { sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr); });
  TRY(body());
  TRY(Execute(database_.get(), "COMMIT"));
  roll_back.Cancel();
  return {};
}

Result<> SqliteStore::CheckExpected(const RecordWrite& write) {
  if (write.key.empty() || write.key.size() > kMaxKeyBytes) {
    return Error(Code::kInvalid, "a key of " + std::to_string(write.key.size()) + " bytes");
  }
  if (write.value && write.value->size() > kMaxValueBytes) {
    return Error(Code::kExhausted,
                 write.key + ": a value of " + std::to_string(write.value->size()) + " bytes");
  }
  if (!write.expected) return {};
  std::optional<StoredRecord> now = TRY(ReadKey(write.key));
  uint64_t version = now ? now->version : 0;
  if (version == *write.expected) return {};
  return Error(Code::kConflict, write.key + " has changed: version " + std::to_string(version) +
                                    ", expected " + std::to_string(*write.expected));
}

Result<> SqliteStore::Write(const RecordWrite& write, uint64_t revision) {
  Statement& statement = write.value ? statements_.write : statements_.erase;
  statement.Bind(1, write.key);
  if (write.value) {
    statement.Bind(2, *write.value);
    statement.Bind(3, revision);
    statement.Bind(4, uint64_t{ChecksumOf(write.key, *write.value)});
  }
  return statement.Run();
}

Result<uint64_t> SqliteStore::Commit(const std::vector<RecordWrite>& writes,
                                     Durability durability) {
  std::lock_guard guard(mutex_);
  // Before the transaction: what a check finds damaged stays in quarantine whatever follows.
  for (const RecordWrite& write : writes) TRY(CheckExpected(write));
  uint64_t revision = revision_ + 1;
  auto write_all = [&]() -> Result<> {
    for (const RecordWrite& write : writes) TRY(Write(write, revision));
    statements_.set_revision.Bind(1, revision);
    return statements_.set_revision.Run();
  };
  TRY(InTransaction(durability, write_all));
  revision_ = revision;
  Notify(writes);
  return revision;
}

void SqliteStore::Notify(const std::vector<RecordWrite>& writes) {
  for (const Watcher& watcher : watchers_) {
    Changes changes;
    for (const RecordWrite& write : writes) {
      if (write.key.starts_with(watcher.prefix)) changes.push_back(&write);
    }
    if (!changes.empty()) watcher.on_change(changes);
  }
}

std::unique_ptr<Store::Watch> SqliteStore::WatchPrefix(const std::string& prefix,
                                                       OnChange on_change) {
  std::lock_guard guard(mutex_);
  watchers_.push_back({prefix, std::move(on_change)});
  return std::make_unique<WatchHandle>(this, std::prev(watchers_.end()));
}

Result<> SqliteStore::Clear() {
  std::lock_guard guard(mutex_);
  // Without a WHERE SQLite drops the pages at once, whatever their number.
  return InTransaction(Durability::kAccepted,
                       [&] { return Execute(database_.get(), "DELETE FROM records"); });
}

Result<UniqueFd> LockDirectory(const std::string& directory) {
  TRY(sys::MakeDirectories(directory, 0700));
  std::string path = directory + "/lock";
  UniqueFd lock = TRY(sys::Open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600));
  bool is_ours = TRY(sys::TryLock(lock.get(), sys::LockMode::kExclusive));
  // A process that was killed while it started another leaves the lock to that one until its exec.
  auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  while (!is_ours && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLockInterval);
    is_ours = TRY(sys::TryLock(lock.get(), sys::LockMode::kExclusive));
  }
  if (!is_ours) {
    return Error(Code::kConflict,
                 "state directory " + directory + " is in use by another process (its lock)");
  }
  return lock;
}

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& directory) {
  UniqueFd lock;
  if (!directory.empty()) lock = TRY(LockDirectory(directory));
  std::string path = directory.empty() ? ":memory:" : directory + "/state.db";
  Database database = TRY(OpenStateFile(path));
  Statements statements = TRY(PrepareAll(database.get()));
  uint64_t revision = TRY(LastRevision(database.get()));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(lock), std::move(database),
                                                              std::move(statements), revision));
}

}  // namespace skiff::runtime
