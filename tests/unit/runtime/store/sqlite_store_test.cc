#include "runtime/store/sqlite_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime {
namespace {

using skiff::test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Store> Open(const std::string& directory) {
  Result<std::unique_ptr<Store>> store = OpenSqliteStore(directory);
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

void Put(Store& store, const std::string& key, const std::string& value) {
  EXPECT_TRUE(store.Commit({{key, value, std::nullopt}}, Durability::kStatus).ok());
}

std::string ValueOf(Store& store, const std::string& key) {
  auto record = store.Get(key).value();
  return record ? record->value : "(absent)";
}

std::vector<std::string> KeysOf(const std::vector<StoredRecord>& records) {
  std::vector<std::string> keys;
  for (const StoredRecord& record : records) keys.push_back(record.key);
  return keys;
}

// Runs SQL on the file of a store that is closed.
void Meddle(const std::string& directory, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((directory + "/state.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

int CountIn(const std::string& directory, const std::string& table) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open((directory + "/state.db").c_str(), &database), SQLITE_OK);
  sqlite3_stmt* count = nullptr;
  sqlite3_prepare_v2(database, ("SELECT count(*) FROM " + table).c_str(), -1, &count, nullptr);
  EXPECT_EQ(sqlite3_step(count), SQLITE_ROW);
  int rows = sqlite3_column_int(count, 0);
  sqlite3_finalize(count);
  sqlite3_close(database);
  return rows;
}

TEST(SqliteStoreTest, WhatWasCommittedIsThereAfterAReopen) {
  TempDir directory;
  uint64_t revision = 0;
  {
    auto store = Open(directory.path());
    std::string bytes("\0\xff\n", 3);
    revision = store->Commit({{"a", bytes, 0}, {"b", "", 0}}, Durability::kAccepted).value();
  }
  auto store = Open(directory.path());
  auto record = store->Get("a").value();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->value, std::string("\0\xff\n", 3));
  EXPECT_EQ(record->version, revision);
  EXPECT_EQ(ValueOf(*store, "b"), "");
  EXPECT_GT(store->Commit({{"c", "x", 0}}, Durability::kStatus).value(), revision);
}

TEST(SqliteStoreTest, CommitHappensWholeOrNotAtAll) {
  auto store = Open("");
  Put(*store, "held", "1");
  uint64_t version = store->Get("held").value()->version;
  Result<uint64_t> commit = store->Commit({{"new", "x", std::nullopt}, {"held", "2", version + 1}},
                                          Durability::kAccepted);
  ASSERT_FALSE(commit.ok());
  EXPECT_EQ(commit.error().code(), Code::kConflict);
  EXPECT_THAT(commit.error().message(), HasSubstr("held has changed"));
  EXPECT_EQ(ValueOf(*store, "new"), "(absent)");
  EXPECT_TRUE(store->Commit({{"held", "2", version}}, Durability::kStatus).ok());
  EXPECT_FALSE(store->Commit({{"held", "3", 0}}, Durability::kStatus).ok()) << "must not exist";
  EXPECT_TRUE(store->Commit({{"held", std::nullopt, std::nullopt}}, Durability::kStatus).ok());
  EXPECT_EQ(ValueOf(*store, "held"), "(absent)");
}

TEST(SqliteStoreTest, RangesComeInOrderPageByPage) {
  auto store = Open("");
  for (const char* key : {"t/b", "t/a", "u", "t/c", "t", "s/z", "t/\xff"}) Put(*store, key, key);
  auto page = store->Range({"t/", "", 2}).value();
  EXPECT_THAT(KeysOf(page), ElementsAre("t/a", "t/b"));
  page = store->Range({"t/", page.back().key, 10}).value();
  EXPECT_THAT(KeysOf(page), ElementsAre("t/c", "t/\xff"));
  EXPECT_EQ(store->Range({"", "", 100}).value().size(), 7U);
}

TEST(SqliteStoreTest, WatchersLearnTheWritesOfTheirPrefixUntilTheyGo) {
  auto store = Open("");
  std::vector<std::string> seen;
  auto watch = store->WatchPrefix("tasks/", [&](const Store::Changes& changes) {
    for (const RecordWrite* change : changes) seen.push_back(change->key + "=" + *change->value);
  });
  ASSERT_TRUE(store->Commit({{"tasks/1", "x", 0}, {"other", "y", 0}}, Durability::kStatus).ok());
  ASSERT_FALSE(store->Commit({{"tasks/1", "x", 0}}, Durability::kStatus).ok());
  EXPECT_THAT(seen, ElementsAre("tasks/1=x"));
  watch.reset();
  Put(*store, "tasks/2", "x");
  EXPECT_THAT(seen, ElementsAre("tasks/1=x"));
}

TEST(SqliteStoreTest, DamagedRecordIsPutAsideAndTheOthersLive) {
  TempDir directory;
  {
    auto store = Open(directory.path());
    Put(*store, "good", "1");
    Put(*store, "bad", "2");
    Put(*store, "worse", "3");
  }
  Meddle(directory.path(),
         "UPDATE records SET value = CAST('0' AS BLOB)"
         " WHERE key IN (CAST('bad' AS BLOB), CAST('worse' AS BLOB))");
  {
    auto store = Open(directory.path());
    EXPECT_EQ(ValueOf(*store, "bad"), "(absent)");
    EXPECT_THAT(KeysOf(store->Range({"", "", 10}).value()), ElementsAre("good"));
    ASSERT_TRUE(store->Quarantine("good", "no JSON").ok());
    EXPECT_EQ(ValueOf(*store, "good"), "(absent)");
    EXPECT_TRUE(store->Commit({{"bad", "new", 0}}, Durability::kAccepted).ok());
  }
  EXPECT_EQ(CountIn(directory.path(), "quarantine"), 3);
}

TEST(SqliteStoreTest, FileThatIsNoDatabaseIsKeptAsideAndStateBeginsEmpty) {
  TempDir directory;
  std::string text(8192, 'x');
  sys::WriteFile(AT_FDCWD, directory.path() + "/state.db", text).value();
  auto store = Open(directory.path());
  Put(*store, "a", "1");
  bool is_kept = false;
  for (const std::string& name : sys::ListDirectory(AT_FDCWD, directory.path()).value()) {
    if (!name.starts_with("state.db.damaged-")) continue;
    is_kept = sys::ReadFile(AT_FDCWD, directory.path() + "/" + name).value() == text;
  }
  EXPECT_TRUE(is_kept);
}

constexpr int kManyRecords = 400;

std::string NumberedKey(int number) { return "tasks/" + std::to_string(1000 + number); }

// A closed store of many records, in one file.
std::string ManyRecords() {
  TempDir directory;
  {
    auto store = Open(directory.path());
    for (int i = 0; i < kManyRecords; ++i) {
      Put(*store, NumberedKey(i), std::string(100, static_cast<char>('a' + i % 26)));
    }
  }
  return sys::ReadFile(AT_FDCWD, directory.path() + "/state.db").value();
}

// How many records of ManyRecords are there; none may have another value.
int WholeRecordsOf(Store& store) {
  int count = 0;
  for (int i = 0; i < kManyRecords; ++i) {
    auto record = store.Get(NumberedKey(i));
    if (!record.ok() || !record.value()) continue;
    EXPECT_EQ(record.value()->value, std::string(100, static_cast<char>('a' + i % 26)));
    ++count;
  }
  return count;
}

// Fault: a page that the disk gives back as zeros.
TEST(SqliteStoreTest, DamagedPageCostsItsRecordsOnly) {
  const std::string whole = ManyRecords();
  constexpr size_t kPage = 4096;
  const size_t leaf = whole.find(NumberedKey(200)) / kPage * kPage;
  TempDir directory;
  std::string damaged = whole;
  damaged.replace(leaf, kPage, kPage, '\0');
  sys::WriteFile(AT_FDCWD, directory.path() + "/state.db", damaged).value();
  auto store = Open(directory.path());
  int left = WholeRecordsOf(*store);
  EXPECT_GT(left, kManyRecords - 60);
  EXPECT_LT(left, kManyRecords);
  // Written and listed as ever, and versions are not used twice.
  EXPECT_EQ(static_cast<int>(store->Range({"tasks/", "", 1000}).value().size()), left);
  auto version = store->Commit({{"tasks/new", "x", 0}}, Durability::kAccepted);
  ASSERT_TRUE(version.ok());
  EXPECT_GT(version.value(), uint64_t{kManyRecords - 60});
  store.reset();
  EXPECT_EQ(WholeRecordsOf(*Open(directory.path())), left);
}

// Whatever byte is another one, the store opens (or says that a newer version made it), and no
// record has a value that was not given to it.
TEST(SqliteStoreTest, NoByteOfTheFileMakesALieOrARefusal) {
  const std::string whole = ManyRecords();
  size_t opened = 0;
  size_t tried = 0;
  for (size_t at = 0; at < whole.size(); at += at < 100 ? 1 : 997, ++tried) {
    TempDir directory;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    sys::WriteFile(AT_FDCWD, directory.path() + "/state.db", damaged).value();
    auto store = OpenSqliteStore(directory.path());
    bool is_version = at == 18 || at == 19 || (at >= 60 && at < 64);  // SQLite's, and our schema's
    EXPECT_TRUE(store.ok() || is_version) << at << ": " << store.error().message();
    if (!store.ok()) continue;
    ++opened;
    WholeRecordsOf(*store.value());
    EXPECT_TRUE(store.value()->Range({"tasks/", "", 1000}).ok()) << at;
    EXPECT_TRUE(store.value()->Commit({{"new", "x", 0}}, Durability::kStatus).ok()) << at;
  }
  EXPECT_GT(opened, tried - 7);
}

TEST(SqliteStoreTest, NewerSchemaIsRefusedAndLeftAlone) {
  TempDir directory;
  Put(*Open(directory.path()), "a", "1");
  Meddle(directory.path(), "PRAGMA user_version=99");
  auto refused = OpenSqliteStore(directory.path());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("is of schema 99, this version knows up to 1"));
  Meddle(directory.path(), "PRAGMA user_version=1");
  EXPECT_EQ(ValueOf(*Open(directory.path()), "a"), "1");
}

TEST(SqliteStoreTest, SecondOpenerOfADirectoryIsRefused) {
  TempDir directory;
  auto store = Open(directory.path());
  auto second = OpenSqliteStore(directory.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Code::kConflict);
  EXPECT_THAT(second.error().message(), HasSubstr(directory.path() + " is in use"));
  store.reset();
  EXPECT_TRUE(OpenSqliteStore(directory.path()).ok());
}

TEST(SqliteStoreTest, ClearRemovesEveryRecordAndRevisionsGoOn) {
  auto store = Open("");
  std::vector<RecordWrite> many;
  for (int i = 0; i < 1000; ++i) many.push_back({"k/" + std::to_string(i), "value", 0});
  uint64_t revision = store->Commit(many, Durability::kStatus).value();
  ASSERT_TRUE(store->Clear().ok());
  EXPECT_TRUE(store->Range({"", "", 1}).value().empty());
  EXPECT_GT(store->Commit({{"k/1", "x", 0}}, Durability::kStatus).value(), revision);
}

TEST(SqliteStoreTest, KeysAndValuesHaveLimits) {
  auto store = Open("");
  EXPECT_FALSE(store->Commit({{"", "x", 0}}, Durability::kStatus).ok());
  EXPECT_FALSE(store->Commit({{std::string(5000, 'k'), "x", 0}}, Durability::kStatus).ok());
  Result<uint64_t> large =
      store->Commit({{"k", std::string(5 << 20, 'v'), 0}}, Durability::kStatus);
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code(), Code::kExhausted);
}

}  // namespace
}  // namespace skiff::runtime
