// The profile of AppArmor and the label of SELinux that a program is executed under, between clone
// and exec. They are written to files of this process in a procfs, and never to what a container
// may have in its place (CVE-2019-16884): the procfs is the caller's, opened before any namespace
// is entered. Private to launch_child.cc, and with its rules: only system calls, no allocation.
#pragma once

namespace skiff::isolation {

// The caller's own /proc. -1 with errno: EXDEV when what is there is not the root of a procfs. It
// closes at exec.
int OpenCallersProcfs();

// From the next exec on. False with errno: ENOENT for a profile that is not loaded, EINVAL for a
// label that the policy does not know.
// `command`: "exec PROFILE".
bool SetAppArmorProfile(int procfs, const char* command);
bool SetSelinuxLabel(int procfs, const char* label);

}  // namespace skiff::isolation
