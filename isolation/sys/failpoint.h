// Failpoints: a test makes the n-th call of a named point fail with an errno, or kills the process
// there. Every function of isolation/sys is a point named after its system call; other code adds
// points with Hit().
//
// SKIFF_FAILPOINT="NAME:N:ACTION[:MARKER]" in the environment arms one: NAME is a point or "*"
// (every point counts), N counts from 1, ACTION is "kill" or an errno number, and MARKER is a file
// created when the point is reached, so that a sweep over N knows when it has passed the last one.
// SKIFF_FAILPOINT_PROGRAM limits it to one program name. Compiled in only with SKIFF_FAILPOINTS
// (the dev, ci and sanitizer presets); otherwise Hit() is nothing. Single-threaded programs only,
// but for Arm.
#pragma once

#include "isolation/base/result.h"

namespace skiff::failpoint {

#ifdef SKIFF_FAILPOINTS
// 0, or the errno to fail with. Does not return when the action is "kill".
int Hit(const char* name);
// Arms by "NAME:N:ACTION[:MARKER]" from now on, in this process only, before it has other threads.
// Those that it starts then share the count; with them only "kill" means much.
void Arm(const char* text);
#else
inline int Hit(const char*) { return 0; }
#endif

// The same as a Result, for steps that are no system call: "<name>: <errno text>".
Result<> Check(const char* name);

}  // namespace skiff::failpoint
