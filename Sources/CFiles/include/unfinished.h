#pragma once
#include <signal.h>
#include <sys/types.h>

/// Temporary files, and what removes them when a signal ends the process. In C because a signal handler may neither
/// allocate nor wait for a lock.

/// Between these two calls a thread makes, renames or removes files: no signal reaches it, and a handler on another thread
/// waits for it (a second at most). The first does not return once the process is ending. `mask` holds what was blocked
/// before.
void nc_files_begin(sigset_t *mask);
void nc_files_end(const sigset_t *mask);

/// Notes that the file at `path` is temporary, or forgets it. Returns 0 where there is no room. Only between `nc_files_begin`
/// and `nc_files_end`.
int nc_unfinished_add(const char *path);
void nc_unfinished_forget(const char *path);

/// Makes a file without a name in `folder`: it ends with its last descriptor, whatever ends the process. A negative number where the system,
/// or the file system, has none.
int nc_nameless_open(const char *folder, mode_t mode);

/// Gives it the name `path`, which nothing may have. Not 0, and `errno`, where it cannot.
int nc_nameless_link(int descriptor, const char *path);

/// Notes that a process was started as the leader of a group, which is killed where this process ends, by a signal or by itself; or that it
/// is gone.
int nc_group_add(pid_t leader);
void nc_group_forget(pid_t leader);

/// Notes that a folder is temporary with all that is in it; or removes it, and forgets it. Returns 0 where there is no room.
int nc_folder_add(const char *path);
void nc_folder_remove(const char *path);

/// From now on every signal that would end the process removes temporary files first and then ends it as it would have.
/// A signal that is ignored stays so, one that a parent handed on blocked is let through. A mapped file that was cut short
/// (SIGBUS) ends the process with a line and status 2. Where the process ends by itself it leaves no group and no temporary folder either.
void nc_remove_unfinished_on_signals(void);

/// Says whether a line of progress stands on standard error, a terminal: a signal that ends the process clears it.
void nc_line_shown(int shown);

/// Opens what of the standard descriptors is closed, so that no file takes its place; what is opened cannot be used: reading
/// from or writing to it fails.
void nc_reserve_standard_descriptors(void);
