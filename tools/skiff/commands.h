// The commands of skiff, one function each: it prints its output and answers the exit status, or
// the error that main prints and turns into one.
#pragma once

#include "isolation/base/result.h"
#include "tools/skiff/options.h"

namespace skiff::tools {

Result<int> Carry(const ImageImport& options, const runtime::Roots& roots);
Result<int> Carry(const ImagePull& options, const runtime::Roots& roots);
Result<int> Carry(const Login& options, const runtime::Roots& roots);
Result<int> Carry(const Logout& options, const runtime::Roots& roots);
Result<int> Carry(const ImageList& options, const runtime::Roots& roots);
Result<int> Carry(const ImageInspect& options, const runtime::Roots& roots);
Result<int> Carry(const ImageRemove& options, const runtime::Roots& roots);
Result<int> Carry(const ImagePush& options, const runtime::Roots& roots);
Result<int> Carry(const ImageExport& options, const runtime::Roots& roots);
Result<int> Carry(const ImageTag& options, const runtime::Roots& roots);
Result<int> Carry(const ImageVerify& options, const runtime::Roots& roots);
Result<int> Carry(const ImageDu& options, const runtime::Roots& roots);
Result<int> Carry(const ImagePrune& options, const runtime::Roots& roots);
Result<int> Carry(const Run& options, const runtime::Roots& roots);
Result<int> Carry(const Ps& options, const runtime::Roots& roots);
Result<int> Carry(const Logs& options, const runtime::Roots& roots);
Result<int> Carry(const Stop& options, const runtime::Roots& roots);
Result<int> Carry(const Remove& options, const runtime::Roots& roots);
Result<int> Carry(const Inspect& options, const runtime::Roots& roots);
Result<int> Carry(const Doctor& options, const runtime::Roots& roots);
Result<int> Carry(const Events& options, const runtime::Roots& roots);
Result<int> Carry(const Explain& options, const runtime::Roots& roots);
Result<int> Carry(const TraceSyscalls& options, const runtime::Roots& roots);

constexpr const char* NameOf(const ImageImport&) { return "image import"; }
constexpr const char* NameOf(const ImagePull&) { return "image pull"; }
constexpr const char* NameOf(const Login&) { return "login"; }
constexpr const char* NameOf(const Logout&) { return "logout"; }
constexpr const char* NameOf(const ImageList&) { return "image list"; }
constexpr const char* NameOf(const ImageInspect&) { return "image inspect"; }
constexpr const char* NameOf(const ImageRemove&) { return "image remove"; }
constexpr const char* NameOf(const ImagePush&) { return "image push"; }
constexpr const char* NameOf(const ImageExport&) { return "image export"; }
constexpr const char* NameOf(const ImageTag&) { return "image tag"; }
constexpr const char* NameOf(const ImageVerify&) { return "image verify"; }
constexpr const char* NameOf(const ImageDu&) { return "image du"; }
constexpr const char* NameOf(const ImagePrune&) { return "image prune"; }
constexpr const char* NameOf(const Run&) { return "run"; }
constexpr const char* NameOf(const Ps&) { return "ps"; }
constexpr const char* NameOf(const Logs&) { return "logs"; }
constexpr const char* NameOf(const Stop&) { return "stop"; }
constexpr const char* NameOf(const Remove&) { return "rm"; }
constexpr const char* NameOf(const Inspect&) { return "inspect"; }
constexpr const char* NameOf(const Doctor&) { return "doctor"; }
constexpr const char* NameOf(const Events&) { return "events"; }
constexpr const char* NameOf(const Explain&) { return "explain"; }
constexpr const char* NameOf(const TraceSyscalls&) { return "trace-syscalls"; }

}  // namespace skiff::tools
