#include "images/unpack_program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "images/erofs_reader.h"
#include "images/layer_kind.h"
#include "images/limits.h"
#include "isolation/base/text.h"
#include "isolation/sandbox.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

using isolation::CapabilityMask;

// SYS_ADMIN for trusted.overlay.opaque: the calls it would open otherwise are not allowed here.
constexpr std::array kCapabilities = {"CHOWN", "DAC_OVERRIDE", "FOWNER",   "FSETID",
                                      "MKNOD", "SETFCAP",      "SYS_ADMIN"};

// An image is a file like any other; these are for the layers beneath that are unpacked.
constexpr std::array kImageCapabilities = {"DAC_OVERRIDE", "SYS_ADMIN"};

constexpr std::array kCalls = {
    // The streams.
    "read", "write", "writev", "pread64", "pwrite64", "close", "lseek", "fcntl", "dup",
    // Finding things.
    "openat", "openat2", "open", "fstat", "newfstatat", "statx", "readlinkat", "readlink",
    "getdents64", "faccessat", "faccessat2",
    // Making things.
    "mkdirat", "mknodat", "symlinkat", "linkat", "unlinkat", "renameat", "renameat2", "ftruncate",
    "fallocate",
    // What they are like.
    "fchown", "fchownat", "fchmod", "fchmodat", "chmod", "utimensat", "setxattr", "lsetxattr",
    "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    // Memory, time, and the end.
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex", "clock_gettime",
    "gettimeofday", "getrandom", "prlimit64", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "getpid", "gettid", "geteuid", "getegid", "umask", "rseq", "set_robust_list", "tgkill", "exit",
    "exit_group"};

// Standard input, whatever it is.
class StreamSource : public ByteSource {
 public:
  Result<std::string_view> Next() override {
    size_t size = TRY(sys::Read(STDIN_FILENO, buffer_.get(), kSourceChunk));
    return std::string_view(buffer_.get(), size);
  }

 private:
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kSourceChunk);
};

constexpr int kLowerReady = 3;
constexpr int kList = 4;

Result<> WaitForLower() {
  char byte = 0;
  size_t count = TRY(sys::Read(kLowerReady, &byte, 1));
  if (count == 1) return {};
  return Error(Code::kConflict, "a layer beneath could not be unpacked");
}

// `outside`: where the layers are for others, which tells their kinds.
Result<std::vector<std::unique_ptr<LowerLayer>>> OpenLower(
    const std::vector<std::string>& outside) {
  std::vector<std::unique_ptr<LowerLayer>> layers;
  if (!outside.empty()) TRY(WaitForLower());
  for (size_t i = 0; i < outside.size(); ++i) {
    std::string path = isolation::kSandboxReadable + std::to_string(i);
    bool is_image = KindOfPlace(outside[i]) == LayerKind::kErofs;
    std::unique_ptr<LowerLayer> layer =
        TRY(is_image ? ErofsReader::OpenLayer(path) : LowerDirectory::Open(path));
    layers.push_back(std::move(layer));
  }
  return layers;
}

CapabilityMask NeededCapabilities(LayerKind kind) {
  CapabilityMask mask = 0;
  std::span<const char* const> names = kCapabilities;
  if (kind == LayerKind::kErofs) names = kImageCapabilities;
  for (const char* name : names) {
    mask |= CapabilityMask{1} << *isolation::CapabilityByName(name);
  }
  return mask;
}

Result<PlainLayer> Unpack(Bytes most, const std::vector<std::string>& directories) {
  isolation::SandboxSpec sandbox;
  sandbox.writable = directories.front();
  sandbox.readable.assign(directories.begin() + 1, directories.end());
  sandbox.capabilities = NeededCapabilities(KindOfPlace(sandbox.writable));
  sandbox.memory = kMaxUnpackMemory;
  sandbox.allowed = kCalls;
  sandbox.threads = true;  // hashing
  TRY(isolation::EnterSandbox(sandbox));
  UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, isolation::kSandboxWritable));
  StreamSource file;
  PlainPlace place{directory.get(), KindOfPlace(sandbox.writable),
                   [&] { return OpenLower(sandbox.readable); }, most};
  return ReadPlainLayer(&file, place, kList);
}

constexpr std::string_view kLayer = "layer";
constexpr std::string_view kError = "error";
constexpr size_t kLayerWords = 8;

Error Nonsense() {
  return Error(Code::kInternal, "skiff-unpack answered something else than it should");
}

Result<uint64_t> Number(std::string_view word, uint64_t max = INT64_MAX) {
  std::optional<uint64_t> number = ParseUint(word, max);
  if (number) return *number;
  return Nonsense();
}

Result<PlainLayer> DecodeError(std::string_view words) {
  size_t space = words.find(' ');
  if (space == std::string_view::npos) return Nonsense();
  uint64_t code = TRY(Number(words.substr(0, space), static_cast<uint64_t>(Code::kInternal)));
  return Error(static_cast<Code>(code), std::string(words.substr(space + 1)));
}

}  // namespace

std::string EncodeAnswer(const Result<PlainLayer>& layer) {
  std::string line;
  if (layer.ok()) {
    const PlainLayer& plain = layer.value();
    line = std::string(kLayer) + " " + plain.diff_id.ToString();
    for (uint64_t number :
         {plain.plain_size, static_cast<uint64_t>(plain.compression), plain.unpacked.entries,
          plain.unpacked.size, plain.unpacked.refused_xattrs,
          static_cast<uint64_t>(plain.unpacked.relies_on_lower)}) {
      line += " " + std::to_string(number);
    }
  } else {
    line = std::string(kError) + " " + std::to_string(static_cast<int>(layer.error().code())) +
           " " + layer.error().message();
    // A name out of the layer may hold anything.
    std::replace(line.begin(), line.end(), '\n', '?');
    line.resize(std::min(line.size(), kMaxUnpackAnswer - 1));
  }
  return line + "\n";
}

Result<PlainLayer> DecodeAnswer(std::string_view line) {
  if (line.empty() || line.back() != '\n') return Nonsense();
  line.remove_suffix(1);
  if (line.starts_with(std::string(kError) + " ")) {
    return DecodeError(line.substr(kError.size() + 1));
  }
  std::vector<std::string_view> words = Split(line, ' ');
  if (words.size() != kLayerWords || words[0] != kLayer) return Nonsense();
  PlainLayer layer;
  layer.diff_id = TRY(Digest::Parse(words[1]));
  layer.plain_size = TRY(Number(words[2]));
  uint64_t compression = TRY(Number(words[3], static_cast<uint64_t>(Compression::kZstd)));
  layer.compression = static_cast<Compression>(compression);
  layer.unpacked.entries = TRY(Number(words[4]));
  layer.unpacked.size = TRY(Number(words[5]));
  layer.unpacked.refused_xattrs = TRY(Number(words[6]));
  uint64_t relies_on_lower = TRY(Number(words[7], 1));
  layer.unpacked.relies_on_lower = relies_on_lower == 1;
  return layer;
}

int RunUnpackProgram(int argc, char** argv) {
  std::optional<uint64_t> most = ParseUint(argv[1], kMaxLayer.count());
  if (!most) return 2;
  Result<PlainLayer> layer = Unpack(Bytes(*most), std::vector<std::string>(argv + 2, argv + argc));
  Result<> answered = sys::WriteAll(STDOUT_FILENO, EncodeAnswer(layer), "the answer");
  return layer.ok() && answered.ok() ? 0 : 1;
}

}  // namespace skiff::images
