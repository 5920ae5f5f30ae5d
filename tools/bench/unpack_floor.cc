// The least that unpacking a gzip'd layer can cost: inflate, SHA-256 of both streams, and files
// made with open, write and close. No owners, modes, times or checks; one thread.
//   unpack_floor LAYER DIRECTORY
extern "C" {
#include <isa-l/igzip_lib.h>
}
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace {

constexpr size_t kChunk = 256 << 10;
constexpr size_t kBlock = 512;

[[noreturn]] void Fail(const char* what) {
  fprintf(stderr, "unpack_floor: %s\n", what);
  exit(1);
}

class Hash {
 public:
  Hash() { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  void Update(const void* data, size_t size) { EVP_DigestUpdate(context_, data, size); }
  void Print() {
    unsigned char bytes[32];
    EVP_DigestFinal_ex(context_, bytes, nullptr);
    for (unsigned char byte : bytes) printf("%02x", byte);
    printf("\n");
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
};

// Files out of pieces of a tar: ustar headers and the path of PAX ones.
class Files {
 public:
  void Take(const char* data, size_t size) {
    while (size > 0) {
      size_t taken = left_ > 0 ? TakeContent(data, size) : TakeHeader(data, size);
      data += taken;
      size -= taken;
    }
  }

 private:
  size_t TakeContent(const char* data, size_t size) {
    size_t taken = size < left_ ? size : left_;
    size_t content = taken < left_ - padding_ ? taken : (left_ > padding_ ? left_ - padding_ : 0);
    if (file_ >= 0 && content > 0 && write(file_, data, content) < 0) Fail("write");
    if (is_pax_) pax_.append(data, content);
    left_ -= taken;
    if (left_ == 0) EndEntry();
    return taken;
  }

  size_t TakeHeader(const char* data, size_t size) {
    size_t taken = kBlock - filled_ < size ? kBlock - filled_ : size;
    memcpy(header_ + filled_, data, taken);
    filled_ += taken;
    if (filled_ == kBlock) {
      filled_ = 0;
      if (header_[0] != '\0') StartEntry();
    }
    return taken;
  }

  void StartEntry() {
    size_t size = strtoull(std::string(header_ + 124, 12).c_str(), nullptr, 8);
    char type = header_[156];
    std::string name(header_, strnlen(header_, 100));
    if (header_[345] != '\0')
      name = std::string(header_ + 345, strnlen(header_ + 345, 155)) + "/" + name;
    if (!path_.empty() && type != 'x') name = std::exchange(path_, "");
    padding_ = (kBlock - size % kBlock) % kBlock;
    left_ = size + padding_;
    is_pax_ = type == 'x';
    if (type == '5') {
      mkdir(name.c_str(), 0755);
    } else if (type == '2') {
      if (symlink(std::string(header_ + 157, strnlen(header_ + 157, 100)).c_str(), name.c_str()) <
          0) {
        Fail("symlink");
      }
    } else if (type == '1') {
      if (link(std::string(header_ + 157, strnlen(header_ + 157, 100)).c_str(), name.c_str()) < 0) {
        Fail("link");
      }
    } else if (type == '0' || type == '\0') {
      file_ = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
      if (file_ < 0) Fail(name.c_str());
    }
    if (left_ == 0) EndEntry();
  }

  void EndEntry() {
    if (file_ >= 0) close(std::exchange(file_, -1));
    if (!is_pax_) return;
    is_pax_ = false;
    size_t at = pax_.find(" path=");
    if (at != std::string::npos) path_ = pax_.substr(at + 6, pax_.find('\n', at) - at - 6);
    pax_.clear();
  }

  char header_[kBlock];
  size_t filled_ = 0;
  size_t left_ = 0;  // of the entry, padding included
  size_t padding_ = 0;
  int file_ = -1;
  bool is_pax_ = false;
  std::string pax_, path_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Fail("usage: unpack_floor LAYER DIRECTORY");
  int layer = open(argv[1], O_RDONLY);
  if (layer < 0 || chdir(argv[2]) != 0) Fail("open");
  umask(0);
  auto in = std::make_unique<char[]>(kChunk), out = std::make_unique<char[]>(kChunk);
  auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  Hash blob, plain;
  Files files;
  for (;;) {
    ssize_t size = read(layer, in.get(), kChunk);
    if (size < 0) Fail("read");
    if (size == 0) break;
    blob.Update(in.get(), static_cast<size_t>(size));
    state->next_in = reinterpret_cast<uint8_t*>(in.get());
    state->avail_in = static_cast<uint32_t>(size);
    do {
      state->next_out = reinterpret_cast<uint8_t*>(out.get());
      state->avail_out = kChunk;
      if (isal_inflate(state.get()) < 0) Fail("inflate");
      size_t made = kChunk - state->avail_out;
      plain.Update(out.get(), made);
      files.Take(out.get(), made);
    } while (state->avail_in > 0 || state->avail_out == 0);
  }
  blob.Print();
  plain.Print();
  return 0;
}
