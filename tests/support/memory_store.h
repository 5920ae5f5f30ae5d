// A Store in memory, for tests of what stands on one: as exact as the interface's words, and slow.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/store/store.h"

namespace skiff::runtime {

class MemoryStore : public Store {
 public:
  Result<std::optional<StoredRecord>> Get(const std::string& key) override {
    std::lock_guard lock(mutex_);
    auto found = records_.find(key);
    if (found == records_.end()) return std::optional<StoredRecord>();
    return std::optional<StoredRecord>(found->second);
  }

  Result<std::vector<StoredRecord>> Range(const RangeRequest& request) override {
    std::lock_guard lock(mutex_);
    std::vector<StoredRecord> found;
    auto next = request.after < request.prefix ? records_.lower_bound(request.prefix)
                                               : records_.upper_bound(request.after);
    for (; next != records_.end() && found.size() < request.limit; ++next) {
      if (!next->first.starts_with(request.prefix)) break;
      found.push_back(next->second);
    }
    return found;
  }

  Result<uint64_t> Commit(const std::vector<RecordWrite>& writes, Durability) override {
    std::lock_guard lock(mutex_);
    for (const RecordWrite& write : writes) {
      auto found = records_.find(write.key);
      uint64_t version = found == records_.end() ? 0 : found->second.version;
      if (write.expected && *write.expected != version) {
        return Error(Code::kConflict, write.key + ": changed meanwhile");
      }
    }
    ++revision_;
    ++commits_;
    for (const RecordWrite& write : writes) {
      if (write.value) {
        records_[write.key] = {write.key, *write.value, revision_};
      } else {
        records_.erase(write.key);
      }
    }
    for (Watching* watching : watching_) Tell(*watching, writes);
    return revision_;
  }

  Result<> Quarantine(const std::string& key, const std::string& reason) override {
    std::lock_guard lock(mutex_);
    records_.erase(key);
    quarantined_[key] = reason;
    return {};
  }

  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override {
    return std::make_unique<Watching>(*this, prefix, std::move(on_change));
  }

  Result<> Clear() override {
    std::lock_guard lock(mutex_);
    records_.clear();
    ++revision_;
    return {};
  }

  // What a test asks.
  const std::map<std::string, StoredRecord>& records() const { return records_; }
  const std::map<std::string, std::string>& quarantined() const { return quarantined_; }
  int commits() const { return commits_; }

 private:
  struct Watching : Watch {
    Watching(MemoryStore& watched, std::string path, OnChange call)
        : store(watched), prefix(std::move(path)), on_change(std::move(call)) {
      std::lock_guard lock(store.mutex_);
      store.watching_.insert(this);
    }
    ~Watching() override {
      std::lock_guard lock(store.mutex_);
      store.watching_.erase(this);
    }
    MemoryStore& store;
    std::string prefix;
    OnChange on_change;
  };

  static void Tell(const Watching& watching, const std::vector<RecordWrite>& writes) {
    Changes changes;
    for (const RecordWrite& write : writes) {
      if (write.key.starts_with(watching.prefix)) changes.push_back(&write);
    }
    if (!changes.empty()) watching.on_change(changes);
  }

  std::mutex mutex_;
  std::map<std::string, StoredRecord> records_;
  std::map<std::string, std::string> quarantined_;
  std::set<Watching*> watching_;
  uint64_t revision_ = 0;
  int commits_ = 0;
};

}  // namespace skiff::runtime
