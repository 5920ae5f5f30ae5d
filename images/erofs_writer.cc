#include "images/erofs_writer.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <bit>
#include <map>

#include "images/byte_source.h"
#include "images/erofs_checksum.h"
#include "images/erofs_format.h"
#include "images/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

using namespace erofs;  // NOLINT(google-build-using-namespace): its constants are all over this
                        // file

constexpr uint64_t kMaxBlocks = UINT32_MAX - 1;

uint64_t Blocks(uint64_t bytes) { return (bytes + kBlock - 1) / kBlock; }
uint64_t Align(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// What follows each other in the image.
class Output {
 public:
  Output(int fd, uint64_t position) : fd_(fd), position_(position) {}
  uint64_t position() const { return position_ + buffer_.size(); }
  void Number(uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) buffer_ += static_cast<char>(value >> (8 * i));
  }
  void Text(std::string_view text) { buffer_ += text; }
  void ZeroUntil(uint64_t position) { buffer_.append(position - this->position(), '\0'); }
  Result<> Spill() { return buffer_.size() < kSourceChunk ? Result<>() : Flush(); }
  Result<> Flush() {
    TRY(sys::WriteAllAt(fd_, buffer_, position_));
    position_ += buffer_.size();
    buffer_.clear();
    return {};
  }

 private:
  int fd_;
  uint64_t position_;
  std::string buffer_;
};

struct Chunk {
  uint32_t block = kHole;
  bool is_in_tar = true;
};

struct Chunks {
  unsigned bits = 0;  // of a chunk's size, above the block's
  std::vector<Chunk> list;
};

// Where an inode is, and how its content is kept.
struct Plan {
  uint64_t slot = 0;   // its number
  uint64_t block = 0;  // of a content that is in blocks of its own
  uint64_t content = 0;
  unsigned layout = kPlain;
};

const XattrPrefix& PrefixOf(const std::string& name) {
  return *std::find_if(std::begin(kXattrPrefixes), std::end(kXattrPrefixes),
                       [&](const XattrPrefix& known) { return name.starts_with(known.prefix); });
}

size_t XattrSize(const ErofsNode& node) {
  if (node.xattrs == nullptr || node.xattrs->empty()) return 0;
  size_t size = kXattrHeader;
  for (const auto& [name, value] : *node.xattrs) {
    size += Align(kXattrEntry + name.size() - PrefixOf(name).prefix.size() + value.size(), 4);
  }
  return size;
}

// As new_encode_dev() of the kernel.
uint64_t EncodeDevice(dev_t device) {
  uint64_t number = minor(device);
  return (number & 0xff) | uint64_t{major(device)} << 8 | (number & ~uint64_t{0xff}) << 12;
}

class Writer {
 public:
  Writer(ErofsTree* tree, int tar, uint64_t tar_size)
      : tree_(*tree), nodes_(tree->nodes()), tar_(tar), tar_size_(tar_size) {}

  Result<uint64_t> Run() {
    plans_.resize(nodes_.size());
    Order();
    TRY(FindChunks());
    meta_ = Align(tree_.data_end(), kBlock);
    TRY(Place());
    Output out(tree_.image(), meta_);
    for (uint32_t number : order_) {
      WriteInode(number, &out);
      TRY(out.Spill());
    }
    for (uint32_t number : order_) {
      if (plans_[number].block == 0) continue;
      out.ZeroUntil(plans_[number].block * kBlock);
      WriteContent(number, &out);
      TRY(out.Spill());
    }
    out.ZeroUntil(Align(out.position(), kBlock));
    TRY(out.Flush());
    TRY(WriteSuper(out.position()));
    return out.position();
  }

 private:
  // A name in a directory.
  struct Entry {
    std::string_view name;
    uint32_t number;
  };

  // Every inode once, a directory before what is in it, names in their order.
  void Order() {
    std::vector<bool> seen(nodes_.size());
    std::vector<uint32_t> pending = {0};
    while (!pending.empty()) {
      uint32_t number = pending.back();
      pending.pop_back();
      if (seen[number]) continue;
      seen[number] = true;
      order_.push_back(number);
      const ErofsNode& node = nodes_[number];
      if (node.children == nullptr) continue;
      for (auto child = node.children->rbegin(); child != node.children->rend(); ++child) {
        pending.push_back(child->second);
      }
    }
  }

  Result<> FindChunks() {
    for (uint32_t number : order_) {
      const ErofsNode& node = nodes_[number];
      if (!S_ISREG(node.mode) || node.size == 0) continue;
      plans_[number].layout = kChunks;
      if (IsInOnePiece(node)) continue;
      Chunks chunks = TRY(ChunksOf(node));
      chunk_count_ += chunks.list.size();
      if (chunk_count_ > kMaxErofsChunks) {
        return Error(Code::kExhausted, "the layer's sparse files have too many parts");
      }
      sparse_.emplace(number, std::move(chunks));
    }
    return {};
  }

  static bool IsInOnePiece(const ErofsNode& node) {
    if (node.extents.size() != 1) return node.extents.empty();
    const ErofsExtent& extent = node.extents[0];
    return extent.offset == 0 && extent.length == node.size && extent.stored % kBlock == 0;
  }

  // The bits that a chunk of at least `size` bytes has above a block's.
  static unsigned BitsFor(uint64_t size) {
    return static_cast<unsigned>(std::bit_width(Blocks(size) - 1));
  }

  static Chunks WholeFile(const ErofsNode& node) {
    Chunks chunks;
    chunks.bits = BitsFor(node.size);
    Chunk& chunk = chunks.list.emplace_back();
    if (node.extents.empty()) return chunks;
    chunk.is_in_tar = node.extents[0].is_in_tar;
    chunk.block = static_cast<uint32_t>(node.extents[0].stored / kBlock);
    return chunks;
  }

  // A sparse file: as chunks of the tar where every part begins and ends with one.
  Result<Chunks> ChunksOf(const ErofsNode& node) {
    int bits = static_cast<int>(BitsFor(node.size));
    bool is_aligned = true;
    for (const ErofsExtent& extent : node.extents) {
      uint64_t end = extent.offset + extent.length;
      uint64_t edges = (extent.offset | (end == node.size ? 0 : end)) / kBlock;
      is_aligned &= extent.stored % kBlock == 0 && extent.offset % kBlock == 0 &&
                    (end == node.size || end % kBlock == 0);
      if (edges != 0) bits = std::min(bits, std::countr_zero(edges));
    }
    uint64_t count = node.size == 0 ? 0 : ((Blocks(node.size) - 1) >> bits) + 1;
    if (!is_aligned || count > kMaxErofsFileChunks) return CopyChunks(node);
    Chunks chunks;
    chunks.bits = static_cast<unsigned>(bits);
    chunks.list.resize(count);
    uint64_t size = kBlock << bits;
    for (const ErofsExtent& extent : node.extents) {
      for (uint64_t done = 0; done < extent.length; done += size) {
        Chunk& chunk = chunks.list[(extent.offset + done) / size];
        chunk.is_in_tar = extent.is_in_tar;
        chunk.block = static_cast<uint32_t>((extent.stored + done) / kBlock);
      }
    }
    return chunks;
  }

  // Otherwise every chunk that has something is copied into the image.
  Result<Chunks> CopyChunks(const ErofsNode& node) {
    constexpr unsigned kPageBits = 3;
    Chunks chunks;
    chunks.bits = std::max(kPageBits, BitsFor((node.size - 1) / kMaxErofsFileChunks + 1));
    uint64_t size = kBlock << chunks.bits;
    chunks.list.resize((node.size - 1) / size + 1);
    for (const ErofsExtent& extent : node.extents) {
      for (uint64_t done = 0; done < extent.length;) {
        uint64_t offset = extent.offset + done;
        Chunk& chunk = chunks.list[offset / size];
        if (chunk.block == kHole) {
          uint64_t start = TRY(TakeChunk(std::min(size, node.size - offset / size * size)));
          chunk = {static_cast<uint32_t>(start / kBlock), false};
        }
        uint64_t part = std::min(extent.length - done, size - offset % size);
        TRY(Copy(extent, extent.stored + done, part, chunk.block * kBlock + offset % size));
        done += part;
      }
    }
    return chunks;
  }

  // Zeros up to the block's end are a hole of the image's own file.
  Result<uint64_t> TakeChunk(uint64_t size) { return tree_.TakeSpace(Align(size, kBlock)); }

  Result<> Copy(const ErofsExtent& extent, uint64_t from, uint64_t size, uint64_t to) {
    FileSource source(extent.is_in_tar ? tar_ : tree_.image(), from, size);
    for (;;) {
      std::string_view piece = TRY(source.Next());
      if (piece.empty()) return {};
      TRY(sys::WriteAllAt(tree_.image(), piece, to));
      to += piece.size();
    }
  }

  // Numbers and places of all inodes, and then of the contents that are apart.
  Result<> Place() {
    uint64_t at = kRoot * kSlot;
    for (uint32_t number : order_) {
      const ErofsNode& node = nodes_[number];
      Plan& plan = plans_[number];
      size_t xattrs = XattrSize(node);
      if (xattrs > kMaxXattrBytes) {
        return Error(Code::kExhausted, "a file has too many extended attributes");
      }
      uint64_t head = kInode + xattrs;
      uint64_t behind = 0;
      if (plan.layout == kChunks) {
        auto sparse = sparse_.find(number);
        size_t count = sparse == sparse_.end() ? 1 : sparse->second.list.size();
        behind = Align(head, kChunkIndex) - head + count * kChunkIndex;
      } else {
        plan.content = ContentSize(number);
        // Content behind an inode must not go over a block's end.
        if (plan.content > 0 && head % kSlot + plan.content <= kBlock) {
          plan.layout = kInline;
          behind = plan.content;
          while ((at + head) % kBlock + behind > kBlock) at += kSlot;
        }
      }
      plan.slot = at / kSlot;
      at = Align(at + head + behind, kSlot);
    }
    uint64_t block = Blocks(meta_ + at);
    for (uint32_t number : order_) {
      Plan& plan = plans_[number];
      if (plan.layout != kPlain || plan.content == 0) continue;
      plan.block = block;
      block += Blocks(plan.content);
    }
    if (block <= kMaxBlocks && Blocks(tar_size_) <= kMaxBlocks) return {};
    return Error(Code::kExhausted, "the layer is larger than an image can be");
  }

  std::vector<Entry> EntriesOf(uint32_t number) const {
    const ErofsNode& node = nodes_[number];
    std::vector<Entry> entries = {{".", number}, {"..", number == 0 ? 0 : node.parent}};
    for (const auto& [name, child] : *node.children) entries.push_back({name, child});
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return entries;
  }

  // How many of `entries` from `first` on share a block, and the bytes that they take.
  static std::pair<size_t, size_t> FillBlock(const std::vector<Entry>& entries, size_t first) {
    size_t used = 0;
    size_t end = first;
    while (end < entries.size() && used + kDirent + entries[end].name.size() <= kBlock) {
      used += kDirent + entries[end].name.size();
      ++end;
    }
    return {end, used};
  }

  uint64_t ContentSize(uint32_t number) const {
    const ErofsNode& node = nodes_[number];
    if (S_ISLNK(node.mode)) return node.target.size();
    if (!S_ISDIR(node.mode)) return 0;
    std::vector<Entry> entries = EntriesOf(number);
    uint64_t size = 0;
    for (size_t i = 0; i < entries.size();) {
      auto [end, used] = FillBlock(entries, i);
      size = Align(size, kBlock) + used;
      i = end;
    }
    return size;
  }

  void WriteContent(uint32_t number, Output* out) const {
    const ErofsNode& node = nodes_[number];
    if (S_ISLNK(node.mode)) return out->Text(node.target);
    std::vector<Entry> entries = EntriesOf(number);
    uint64_t start = out->position();
    for (size_t i = 0; i < entries.size();) {
      out->ZeroUntil(start + Align(out->position() - start, kBlock));
      auto [end, used] = FillBlock(entries, i);
      size_t name_at = (end - i) * kDirent;
      for (size_t k = i; k < end; ++k) {
        out->Number(plans_[entries[k].number].slot, 8);
        out->Number(name_at, 2);
        out->Number(FileType(nodes_[entries[k].number].mode), 1);
        out->Number(0, 1);
        name_at += entries[k].name.size();
      }
      for (; i < end; ++i) out->Text(entries[i].name);
    }
  }

  uint64_t LinksOf(const ErofsNode& node) const {
    if (!S_ISDIR(node.mode)) return node.links;
    constexpr uint64_t kOwn = 2;  // its name, and "." in it
    return kOwn + static_cast<uint64_t>(std::count_if(
                      node.children->begin(), node.children->end(),
                      [&](const auto& child) { return S_ISDIR(nodes_[child.second].mode); }));
  }

  void WriteInode(uint32_t number, Output* out) const {
    const ErofsNode& node = nodes_[number];
    const Plan& plan = plans_[number];
    out->ZeroUntil(meta_ + plan.slot * kSlot);
    size_t xattrs = XattrSize(node);
    out->Number(kExtended | plan.layout << 1, 2);
    out->Number(xattrs == 0 ? 0 : (xattrs - kXattrHeader) / 4 + 1, 2);
    out->Number(node.mode, 2);
    out->Number(0, 2);
    out->Number(S_ISREG(node.mode) ? node.size : plan.content, 8);
    out->Number(UnionOf(number), 4);
    out->Number(static_cast<uint32_t>(plan.slot), 4);
    out->Number(node.uid, 4);
    out->Number(node.gid, 4);
    out->Number(static_cast<uint64_t>(node.mtime.tv_sec), 8);
    out->Number(static_cast<uint64_t>(node.mtime.tv_nsec), 4);
    out->Number(LinksOf(node), 4);
    out->ZeroUntil(meta_ + plan.slot * kSlot + kInode);
    if (xattrs > 0) WriteXattrs(node, out);
    if (plan.layout == kChunks) WriteChunks(number, out);
    if (plan.layout == kInline) WriteContent(number, out);
  }

  Chunks FileChunks(uint32_t number) const {
    auto sparse = sparse_.find(number);
    return sparse == sparse_.end() ? WholeFile(nodes_[number]) : sparse->second;
  }

  // What stands in an inode depends on its kind.
  uint64_t UnionOf(uint32_t number) const {
    const ErofsNode& node = nodes_[number];
    const Plan& plan = plans_[number];
    if (S_ISCHR(node.mode) || S_ISBLK(node.mode)) return EncodeDevice(node.device);
    if (plan.layout == kChunks) return kChunkIndexes | FileChunks(number).bits;
    return plan.block;
  }

  static void WriteXattrs(const ErofsNode& node, Output* out) {
    out->ZeroUntil(out->position() + kXattrHeader);
    for (const auto& [name, value] : *node.xattrs) {
      const XattrPrefix& prefix = PrefixOf(name);
      out->Number(name.size() - prefix.prefix.size(), 1);
      out->Number(prefix.index, 1);
      out->Number(value.size(), 2);
      out->Text(std::string_view(name).substr(prefix.prefix.size()));
      out->Text(value);
      out->ZeroUntil(Align(out->position(), 4));
    }
  }

  void WriteChunks(uint32_t number, Output* out) const {
    out->ZeroUntil(Align(out->position(), kChunkIndex));
    for (const Chunk& chunk : FileChunks(number).list) {
      bool has_device = chunk.block != kHole && chunk.is_in_tar;
      out->Number(0, 2);
      out->Number(has_device ? kTarDevice : 0, 2);
      out->Number(chunk.block, 4);
    }
  }

  Result<> WriteSuper(uint64_t size) const {
    std::string block = SuperBlock(size, 0);
    block = SuperBlock(size, ErofsChecksum(block));
    return sys::WriteAllAt(tree_.image(), block, kSuperOffset);
  }

  // The superblock's block, with the device's slot.
  std::string SuperBlock(uint64_t size, uint32_t checksum) const {
    std::string block;
    auto number = [&](uint64_t value, size_t bytes) {
      for (size_t i = 0; i < bytes; ++i) block += static_cast<char>(value >> (8 * i));
    };
    auto zeros = [&](size_t bytes) { block.append(bytes, '\0'); };
    number(kMagic, 4);
    number(checksum, 4);
    number(kHasChecksum | kHasTimes, 4);
    number(kBlockBits, 1);
    number(0, 1);
    number(kRoot, 2);
    number(order_.size(), 8);
    zeros(8 + 4);  // the time of compact inodes
    number(size / kBlock, 4);
    number(meta_ / kBlock, 4);
    zeros(4 + 16 + 16);  // shared attributes, UUID, name: none
    number(kHasChunks | kHasDevices, 4);
    number(0, 2);
    number(1, 2);  // devices besides this one
    number((kSuperOffset + kSuperSize) / kDeviceSlot, 2);
    block.resize(kSuperSize + 64, '\0');  // and the slot's tag
    number(Blocks(tar_size_), 4);
    block.resize(kBlock, '\0');
    return block;
  }

  ErofsTree& tree_;
  const std::deque<ErofsNode>& nodes_;
  int tar_;
  uint64_t tar_size_;
  std::vector<Plan> plans_;      // by node
  std::vector<uint32_t> order_;  // nodes
  std::map<uint32_t, Chunks> sparse_;
  size_t chunk_count_ = 0;
  uint64_t meta_ = 0;  // where the inodes begin
};

}  // namespace

Result<uint64_t> WriteErofs(ErofsTree* tree, int tar, uint64_t tar_size) {
  return Writer(tree, tar, tar_size).Run();
}

}  // namespace skiff::images
