// SPDX-License-Identifier: MIT
// Graphs: captured work, which a launch puts into a stream as one piece.
#include <algorithm>
#include <set>

#include "api.h"
#include "stream.h"

inline namespace simt_cuda {

using simt::Call;

namespace {

std::set<const CUgraphExec_st*>& executables() {
    static auto* const made = new std::set<const CUgraphExec_st*>;
    return *made;
}

cudaError_t no_graph(const Call& call) {
    return call.mistake(simt::FaultKind::stream, cudaErrorInvalidValue, "the graph does not exist");
}

}  // namespace

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    static thread_local cudaStreamCaptureMode current = cudaStreamCaptureModeGlobal;
    const Call call(__func__, __builtin_return_address(0));
    std::swap(current, *mode);
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* pGraphExec, cudaGraph_t graph, unsigned long long) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (pGraphExec == nullptr || graph == nullptr) return no_graph(call);
        *pGraphExec = new CUgraphExec_st;
        for (const auto& node : graph->nodes) (*pGraphExec)->works.push_back(node->work);
        executables().insert(*pGraphExec);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graphExec, cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (!executables().contains(graphExec)) return no_graph(call);
        CUstream_st* found = simt::stream_of(stream);
        if (found == nullptr)
            return call.mistake(simt::FaultKind::stream, cudaErrorInvalidResourceHandle,
                                "the stream does not exist");
        const auto run = [works = graphExec->works] {
            for (const simt::Work& work : works) {
                const cudaError_t error = simt::perform(work);
                if (error != cudaSuccess) return error;
            }
            return cudaSuccess;
        };
        return simt::enqueue(found, {cudaGraphNodeTypeGraph, "a graph", run});
    });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graphExec, cudaStream_t) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return executables().contains(graphExec) ? cudaSuccess : no_graph(call); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    const Call call(__func__, __builtin_return_address(0));
    if (graph == nullptr) return call.keep(no_graph(call));
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graphExec) {
    const Call call(__func__, __builtin_return_address(0));
    if (executables().erase(graphExec) == 0) return call.keep(no_graph(call));
    delete graphExec;
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* numNodes) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (graph == nullptr || numNodes == nullptr) return no_graph(call);
        if (nodes != nullptr)
            for (size_t i = 0; i < *numNodes; ++i)
                nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
        *numNodes = nodes == nullptr ? graph->nodes.size() : std::min(*numNodes, graph->nodes.size());
        return cudaSuccess;
    });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* pType) {
    const Call call(__func__, __builtin_return_address(0));
    if (node == nullptr || pType == nullptr) return call.keep(cudaErrorInvalidValue);
    *pType = node->work.type;
    return cudaSuccess;
}

}  // namespace simt_cuda
