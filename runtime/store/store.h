// The state that must survive: a versioned key-value store with atomic commits and watches. It does
// not know what it stores. SQLite is behind it today (sqlite_store.h); an engine shared by several
// hosts can stand in, for nothing here assumes one process or one machine.
//
// Keys are paths ("tasks/<cluster>/<id>"), ordered bytewise; values are bytes. Each commit has a
// revision, counting up; a record's version is the revision that wrote it last. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

struct StoredRecord {
  std::string key;
  std::string value;
  uint64_t version = 0;
};

struct RecordWrite {
  std::string key;
  std::optional<std::string> value;  // nullopt: delete (absent is fine unless `expected` says so)
  // The version that the record must have for the commit to happen; 0: it must not exist. nullopt:
  // whatever is there.
  std::optional<uint64_t> expected;
};

enum class Durability {
  kAccepted,  // on stable storage before Commit returns: what a client was promised
  kStatus,    // may be lost with the power (not with the process): it can be observed again
};

struct RangeRequest {
  std::string prefix;  // only keys that begin with it
  std::string after;   // only keys greater than it; "" from the first
  size_t limit = 100;
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<std::optional<StoredRecord>> Get(const std::string& key) = 0;
  // In key order.
  virtual Result<std::vector<StoredRecord>> Range(const RangeRequest& request) = 0;
  // All or nothing; gives the revision. kConflict naming the key whose version was not the expected
  // one.
  virtual Result<uint64_t> Commit(const std::vector<RecordWrite>& writes,
                                  Durability durability) = 0;

  // Moves a record that its reader cannot make sense of out of the way, keeping its bytes and the
  // reason for an administrator; it is absent from then on.
  virtual Result<> Quarantine(const std::string& key, const std::string& reason) = 0;

  // `on_change` is called after every commit that wrote keys with the prefix, with those writes, on
  // the committing thread and in the order of commits: it must be short and must not call the
  // store. Ends with the handle.
  using Changes = std::vector<const RecordWrite*>;
  using OnChange = std::function<void(const Changes& changes)>;
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  virtual std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) = 0;

  // Removes every record (not the quarantine). Watchers are not called.
  virtual Result<> Clear() = 0;
};

}  // namespace skiff::runtime
