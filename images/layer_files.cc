#include "images/layer_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

#include "images/byte_source.h"
#include "images/checksum.h"
#include "images/limits.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

constexpr std::string_view kHead = "skiff files 1\n";
constexpr std::string_view kNoSum = "-";
constexpr size_t kFields = 9;
constexpr uint64_t kNanosecond = 1'000'000'000;

struct FileRecord {
  mode_t mode = 0;  // with the kind
  uint64_t uid = 0;
  uint64_t gid = 0;
  uint64_t size = 0;  // of regular files and symlinks
  int64_t seconds = 0;
  uint64_t nanoseconds = 0;
  uint64_t links = 0;   // of what is no directory
  uint64_t device = 0;  // of device nodes
  std::optional<uint64_t> sum;
  std::string_view name;
};

FileRecord RecordOf(const struct stat& info, std::string_view name) {
  FileRecord record;
  record.mode = info.st_mode;
  record.uid = info.st_uid;
  record.gid = info.st_gid;
  if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) {
    record.size = static_cast<uint64_t>(info.st_size);
  }
  record.seconds = info.st_mtim.tv_sec;
  record.nanoseconds = static_cast<uint64_t>(info.st_mtim.tv_nsec);
  if (!S_ISDIR(info.st_mode)) record.links = info.st_nlink;
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) record.device = info.st_rdev;
  record.name = name;
  return record;
}

void Append(const FileRecord& record, std::string* text) {
  for (uint64_t number : {uint64_t{record.mode}, record.uid, record.gid, record.size}) {
    *text += std::to_string(number) + ' ';
  }
  *text += std::to_string(record.seconds) + ' ';
  for (uint64_t number : {record.nanoseconds, record.links, record.device}) {
    *text += std::to_string(number) + ' ';
  }
  *text += record.sum ? std::to_string(*record.sum) : std::string(kNoSum);
  *text += ' ';
  *text += record.name;
  *text += '\0';
}

std::optional<int64_t> ParseInt(std::string_view text) {
  bool is_negative = text.starts_with('-');
  std::optional<uint64_t> number = ParseUint(text.substr(is_negative ? 1 : 0), INT64_MAX);
  if (!number) return std::nullopt;
  int64_t value = static_cast<int64_t>(*number);
  return is_negative ? -value : value;
}

Error Damaged() { return Error(Code::kInternal, "the list of its files is damaged"); }

Result<FileRecord> ParseRecord(std::string_view line) {
  std::array<std::string_view, kFields> words;
  for (std::string_view& word : words) {
    size_t space = line.find(' ');
    if (space == std::string_view::npos) return Damaged();
    word = line.substr(0, space);
    line.remove_prefix(space + 1);
  }
  std::optional<uint64_t> mode = ParseUint(words[0], UINT32_MAX);
  std::optional<int64_t> seconds = ParseInt(words[4]);
  std::array<std::optional<uint64_t>, 6> numbers = {
      ParseUint(words[1]), ParseUint(words[2]),
      ParseUint(words[3]), ParseUint(words[5], kNanosecond),
      ParseUint(words[6]), ParseUint(words[7])};
  bool is_good = mode && seconds;
  for (const std::optional<uint64_t>& number : numbers) is_good = is_good && number;
  if (!is_good) return Damaged();
  FileRecord record;
  record.mode = static_cast<mode_t>(*mode);
  record.uid = *numbers[0];
  record.gid = *numbers[1];
  record.size = *numbers[2];
  record.seconds = *seconds;
  record.nanoseconds = *numbers[3];
  record.links = *numbers[4];
  record.device = *numbers[5];
  record.name = line;
  if (words[8] == kNoSum) return record;
  record.sum = ParseUint(words[8]);
  if (!record.sum) return Damaged();
  return record;
}

std::string Beneath(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

Result<uint64_t> SumOfFile(int directory, const std::string& name, uint64_t size) {
  UniqueFd file = TRY(sys::Open(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  FileSource source(file.get(), 0, size);
  ContentSum sum;
  for (;;) {
    std::string_view piece = TRY(source.Next());
    if (piece.empty()) return sum.value();
    sum.Update(piece);
  }
}

Result<std::optional<uint64_t>> SumOf(int directory, const std::string& name,
                                      const struct stat& info, const ContentSums* sums) {
  if (S_ISLNK(info.st_mode)) {
    std::string target = TRY(sys::ReadLink(directory, name));
    ContentSum sum;
    sum.Update(target);
    return std::optional(sum.value());
  }
  if (!S_ISREG(info.st_mode)) return std::optional<uint64_t>();
  if (sums == nullptr) {
    uint64_t sum = TRY(SumOfFile(directory, name, static_cast<uint64_t>(info.st_size)));
    return std::optional(sum);
  }
  const uint64_t* known = sums->Find(info.st_ino);
  return known == nullptr ? std::nullopt : std::optional(*known);
}

class Recorder {
 public:
  Recorder(int root, const ContentSums* sums, int out) : root_(root), sums_(sums), out_(out) {}

  Result<> Run() {
    text_ = kHead;
    struct stat info = TRY(sys::StatFd(root_));
    TRY(Add(RecordOf(info, "")));
    pending_.emplace_back();
    while (!pending_.empty()) {
      std::string directory = std::move(pending_.back());
      pending_.pop_back();
      TRY(AddDirectory(directory).Context(directory));
    }
    text_ += "end " + std::to_string(count_) + "\n";
    return Flush();
  }

 private:
  Result<> AddDirectory(const std::string& path) {
    UniqueFd directory =
        TRY(sys::OpenBeneath(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
    std::vector<std::string> names = TRY(sys::ListDirectory(directory.get(), "."));
    for (const std::string& name : names) {
      struct stat info = TRY(sys::Stat(directory.get(), name));
      std::string full = Beneath(path, name);
      FileRecord record = RecordOf(info, full);
      record.sum = TRY(SumOf(directory.get(), name, info, sums_).Context(name));
      TRY(Add(record));
      if (S_ISDIR(info.st_mode)) pending_.push_back(std::move(full));
    }
    return {};
  }

  Result<> Add(const FileRecord& record) {
    Append(record, &text_);
    ++count_;
    return text_.size() < kSourceChunk ? Result<>() : Flush();
  }

  Result<> Flush() {
    TRY(sys::WriteAll(out_, text_, "list of files"));
    text_.clear();
    return {};
  }

  int root_;
  const ContentSums* sums_;
  int out_;
  std::vector<std::string> pending_;
  std::string text_;
  uint64_t count_ = 0;
};

class Comparer {
 public:
  Comparer(int root, Scrutiny scrutiny) : root_(root), scrutiny_(scrutiny) {}

  Result<std::vector<std::string>> Run(std::string_view list) {
    if (!list.starts_with(kHead)) return Damaged();
    list.remove_prefix(kHead.size());
    uint64_t count = 0;
    for (; !list.starts_with("end "); ++count) {
      size_t end = list.find('\0');
      if (end == std::string_view::npos) return Damaged();
      FileRecord record = TRY(ParseRecord(list.substr(0, end)));
      if (found_.size() < kMaxDamage) TRY(Compare(record));
      list.remove_prefix(end + 1);
    }
    if (list != "end " + std::to_string(count) + "\n") return Damaged();
    TRY(CompareCount());
    return std::move(found_);
  }

 private:
  // Records of one directory follow each other.
  Result<bool> Enter(std::string_view path) {
    if (directory_.valid() && path == path_) return true;
    TRY(CompareCount());
    path_ = path;
    names_ = 0;
    Result<UniqueFd> opened =
        sys::OpenBeneath(root_, path_.empty() ? "." : path_, O_RDONLY | O_DIRECTORY);
    directory_ = opened.ok() ? std::move(opened).value() : UniqueFd();
    // What is amiss with a directory was said when its own record came.
    return directory_.valid();
  }

  Result<> CompareCount() {
    if (scrutiny_ != Scrutiny::kContent || !directory_.valid()) return {};
    std::vector<std::string> names = TRY(sys::ListDirectory(directory_.get(), "."));
    if (names.size() > names_)
      Say(path_.empty() ? "/" : path_, "there is more in it than there was");
    return {};
  }

  void Say(std::string_view name, std::string_view what) {
    if (found_.size() >= kMaxDamage) return;
    found_.push_back((name.empty() ? "/" : std::string(name)) + ": " + std::string(what));
  }

  Result<> Compare(const FileRecord& record) {
    if (record.name.empty()) {
      struct stat root = TRY(sys::StatFd(root_));
      CompareInfo(record, RecordOf(root, ""));
      return {};
    }
    size_t slash = record.name.rfind('/');
    bool is_top = slash == std::string_view::npos;
    bool is_there = TRY(Enter(is_top ? "" : record.name.substr(0, slash)));
    if (!is_there) return {};
    ++names_;
    std::string name(is_top ? record.name : record.name.substr(slash + 1));
    Result<struct stat> info = sys::Stat(directory_.get(), name);
    if (!info.ok()) {
      bool is_missing = info.error().code() == Code::kNotFound;
      Say(record.name, is_missing ? "missing" : info.error().message());
      return {};
    }
    bool is_alike = CompareInfo(record, RecordOf(info.value(), record.name));
    if (!is_alike || scrutiny_ != Scrutiny::kContent || !record.sum) return {};
    Result<std::optional<uint64_t>> sum = SumOf(directory_.get(), name, info.value(), nullptr);
    if (!sum.ok()) {
      Say(record.name, sum.error().message());
    } else if (sum.value() != record.sum) {
      Say(record.name, "its content has changed");
    }
    return {};
  }

  bool CompareInfo(const FileRecord& was, const FileRecord& now) {
    size_t before = found_.size();
    if ((was.mode & S_IFMT) != (now.mode & S_IFMT)) {
      Say(was.name, "it is another kind of file");
    } else if (was.size != now.size) {
      Say(was.name,
          "its size is " + std::to_string(now.size) + ", it was " + std::to_string(was.size));
    } else if (scrutiny_ == Scrutiny::kContent) {
      CompareRest(was, now);
    }
    return found_.size() == before;
  }

  void CompareRest(const FileRecord& was, const FileRecord& now) {
    if (was.uid != now.uid || was.gid != now.gid) {
      Say(was.name, "its owner has changed");
    } else if (was.mode != now.mode) {
      Say(was.name, "its mode has changed");
    } else if (was.seconds != now.seconds || was.nanoseconds != now.nanoseconds) {
      Say(was.name, "its time has changed");
    } else if (was.links != now.links) {
      Say(was.name, "it has another number of names");
    } else if (was.device != now.device) {
      Say(was.name, "it is another device");
    }
  }

  int root_;
  Scrutiny scrutiny_;
  std::vector<std::string> found_;
  std::string path_;
  UniqueFd directory_;
  uint64_t names_ = 0;
};

}  // namespace

void ContentSum::Update(std::string_view bytes) { value_ = Crc64(bytes, value_); }

void ContentSums::Sort() {
  // Stable: the last that was noted of an inode stays the last.
  std::stable_sort(sums_.begin(), sums_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

const uint64_t* ContentSums::Find(uint64_t inode) const {
  auto after =
      std::upper_bound(sums_.begin(), sums_.end(), inode,
                       [](uint64_t wanted, const auto& sum) { return wanted < sum.first; });
  if (after == sums_.begin() || std::prev(after)->first != inode) return nullptr;
  return &std::prev(after)->second;
}

Result<> RecordFiles(int directory, const ContentSums* sums, int out) {
  return Recorder(directory, sums, out).Run();
}

Result<std::vector<std::string>> CompareFiles(int directory, std::string_view list,
                                              Scrutiny scrutiny) {
  return Comparer(directory, scrutiny).Run(list);
}

}  // namespace skiff::images
