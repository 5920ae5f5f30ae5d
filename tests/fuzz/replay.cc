// Runs a fuzz target without libFuzzer: over each file of a corpus as it is, cut short in several
// places, and with bytes changed. Always the same inputs, so a failure is there again.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Targets with a mutator of their own ask for libFuzzer's; nothing calls it here.
extern "C" size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) { return size; }

namespace {

constexpr size_t kCuts = 12;
constexpr size_t kChanges = 24;

void Run(const std::string& input) {
  // On the heap and of that very size: a sanitizer sees a read beyond it.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void RunAround(const std::string& input) {
  Run(input);
  for (size_t i = 0; i < kCuts; ++i) Run(input.substr(0, input.size() * i / kCuts));
  uint64_t state = 88172645463325252U;  // xorshift: the same everywhere
  for (size_t i = 0; i < kChanges && !input.empty(); ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::string changed = input;
    changed[state % changed.size()] = static_cast<char>(state >> 32);
    Run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    printf("%s\n", file.filename().c_str());
    fflush(stdout);
    std::ifstream stream(file, std::ios::binary);
    RunAround({std::istreambuf_iterator<char>(stream), {}});
  }
  if (files.empty()) fprintf(stderr, "no corpus: nothing was tested\n");
  return files.empty() ? 1 : 0;
}
