"""Benchmarks. Threads wait as they do in the commands; that has to be said before torch is imported."""

from maskgit_lab.machine.cores import let_waiting_threads_sleep

let_waiting_threads_sleep()
