// The kinds of namespaces by the kernel's numbers (CLONE_NEW* of clone(2) and setns(2)), for those
// who name them without making system calls.
#pragma once

namespace skiff::sys {

inline constexpr int kTimeNamespace = 0x00000080;
inline constexpr int kMountNamespace = 0x00020000;
inline constexpr int kCgroupNamespace = 0x02000000;
inline constexpr int kUtsNamespace = 0x04000000;
inline constexpr int kIpcNamespace = 0x08000000;
inline constexpr int kUserNamespace = 0x10000000;
inline constexpr int kPidNamespace = 0x20000000;
inline constexpr int kNetworkNamespace = 0x40000000;

}  // namespace skiff::sys
